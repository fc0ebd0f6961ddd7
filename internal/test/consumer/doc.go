// Package consumer proves what a program takes on by importing this module:
// one driver, and the modules of no other.
package consumer
