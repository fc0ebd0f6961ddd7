// Package consumertest proves what a program takes on by importing this module:
// one driver, and the modules of no other.
package consumertest
