package faultproxy

import "time"

// unlimited as faults.allowed lets every request through.
const unlimited = -1

// faults is what a proxy does to the bytes that pass.
type faults struct {
	holdRequests, holdReplies bool
	delay                     time.Duration
	rules                     []*rule
	allowed                   int  // requests until everything is cut, or unlimited
	exceeded                  bool // something was cut because none is allowed
}

// A rule is a fault for the next n requests that match.
type rule struct {
	n       int
	match   func(request []byte) bool // nil: every request
	verdict verdict
}

// A verdict is what becomes of a request.
type verdict int

const (
	deliver   verdict = iota // and its reply too
	dropReply                // deliver it, cut the connection when the reply comes
	cut                      // cut the connection instead of delivering it
)

// maxMatch is how much of a request a matching function is shown.
const maxMatch = 1 << 20

func (p *Proxy) change(f func(*faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.faults)
	close(p.changed)
	p.changed = make(chan struct{})
}

// BlackHole makes the network swallow every packet in both directions.
// Connections stay open, no error and no byte arrives, new connections are
// accepted (by the kernel, as with a server whose process hangs) and get no
// answer. Once the kernel's buffers are full, the client's writes block.
//
// When the hole ends, what was sent into it arrives, also from connections
// that the client has closed in the meantime: TCP sends again what was lost,
// and so a request that timed out long ago may still be carried out. Call
// [Proxy.Cut] before BlackHole(false) to lose it for good.
func (p *Proxy) BlackHole(on bool) {
	p.change(func(f *faults) { f.holdRequests, f.holdReplies = on, on })
}

// HoldRequests is a black hole in the direction of the server only.
func (p *Proxy) HoldRequests(on bool) {
	p.change(func(f *faults) { f.holdRequests = on })
}

// HoldReplies is a black hole in the direction of the client only: requests
// are carried out, and the client does not hear of it.
func (p *Proxy) HoldReplies(on bool) {
	p.change(func(f *faults) { f.holdReplies = on })
}

// Delay makes every piece of a reply arrive later by d, so that a round trip
// takes at least d longer.
func (p *Proxy) Delay(d time.Duration) {
	p.change(func(f *faults) { f.delay = d })
}

// DropReply delivers the next n requests to the server and cuts their
// connections as soon as the server begins to reply; not a byte of the reply
// reaches the client. A server that replies when it is done, as databases do to
// writes, has then carried the request out.
func (p *Proxy) DropReply(n int) { p.DropReplyMatching(n, nil) }

// DropReplyMatching does what DropReply does to the next n requests for which
// match returns true.
//
// A request may arrive in pieces: match sees all of it that has arrived (1 MiB
// at most), and is asked again with each piece until it returns true. It is
// called with the proxy locked and MUST NOT call the proxy or keep the slice.
func (p *Proxy) DropReplyMatching(n int, match func(request []byte) bool) {
	p.rule(n, match, dropReply)
}

// CutRequest cuts the connection of each of the next n requests instead of
// delivering the request.
func (p *Proxy) CutRequest(n int) { p.CutRequestMatching(n, nil) }

// CutRequestMatching does what CutRequest does to the next n requests for which
// match returns true; for match see [Proxy.DropReplyMatching]. Of a request
// that matches with a later piece, the server has got the earlier ones.
func (p *Proxy) CutRequestMatching(n int, match func(request []byte) bool) {
	p.rule(n, match, cut)
}

func (p *Proxy) rule(n int, match func([]byte) bool, v verdict) {
	if n > 0 {
		p.change(func(f *faults) { f.rules = append(f.rules, &rule{n, match, v}) })
	}
}

// CutAfter lets k more requests through, with their replies and counted over
// all connections. The next request is not delivered: it cuts every connection.
// New connections are cut as they are made once the k requests are used up. That
// lasts until [Proxy.Heal].
// For the database that is a client which crashed between two requests:
// running an operation with k = 0, 1, 2, … until it succeeds visits each of
// its crash points.
func (p *Proxy) CutAfter(k int) {
	p.change(func(f *faults) { f.allowed = max(k, 0) })
}

// Exceeded reports whether CutAfter has cut anything yet: the client needs more
// requests than it was allowed.
func (p *Proxy) Exceeded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults.exceeded
}

// Heal ends every fault, also those whose number is not used up. Connections
// that were cut stay so.
func (p *Proxy) Heal() {
	p.change(func(f *faults) { *f = faults{allowed: unlimited} })
	p.Refuse(false)
}

// judge decides about a request of which arrived is what has come so far; first
// says that this piece begins it. It is called with the proxy locked.
func (f *faults) judge(arrived []byte, first bool) verdict {
	for i, r := range f.rules {
		if r.match == nil && !first || r.match != nil && !r.match(arrived) {
			continue
		}
		if r.n--; r.n == 0 {
			f.rules = append(f.rules[:i:i], f.rules[i+1:]...)
		}
		return r.verdict
	}
	return deliver
}
