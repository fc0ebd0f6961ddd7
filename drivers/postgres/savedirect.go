package postgres

import "github.com/go-ckpt/checkpoint/driver"

// A direct save, or import, is one statement without the function. It does at once what the
// function does in several steps, for two thirds to three quarters of the time, where the
// thread is as it mostly is. Elsewhere it does nothing, and the function decides, in a
// second round trip.

// contendedSaves is how many saves and imports, after one whose direct statement was in vain
// or that met a conflict, leave it to the function at once, in one round trip: where several
// callers compete for a thread, or a copy brings threads that are there up to date, most
// direct statements would be in vain.
const contendedSaves = 64

// direct returns the name of the statement for a direct save, and its arguments beside
// those that every one has; "" where the function has to decide.
func (o operation) direct(req driver.PatchRequest) (name string, more []any) {
	m := req.Match
	if req.Digest != "" || m.Absent {
		return "", nil
	}
	conditional := m != (driver.Match{})
	if !conditional && req.Keep == 1 {
		return "save-plain", nil
	}
	if o.contended.Load() > 0 || req.Keep > 1 && !o.prepares() {
		return "", nil
	}
	if req.Keep > 1 {
		name, more = "-kept", append(more, int64(req.Keep))
	}
	if conditional {
		name, more = "-over"+name, append(more, m.Exists, nullText(m.ID), nullVersion(m.Version))
	}
	return "save" + name, more
}

// directImport returns the name of the statement for an import of a thread that is not
// there; "" where it is expected to be, and the function has to decide.
func (o operation) directImport(req driver.ImportRequest) string {
	if o.contended.Load() > 0 || !req.Match.Holds(driver.Info{}) {
		return ""
	}
	return "import-new"
}

// contend takes note of how a save or an import has ended: what direct or directImport
// returned for it, whether the function was called, and what came of it.
func (o operation) contend(name string, called bool, outcome string) {
	switch {
	case outcome == "conflict", called && name != "" && name != "save-plain":
		o.contended.Store(contendedSaves)
	case name == "" && o.contended.Load() > 0:
		o.contended.Add(-1)
	}
}

// prepares reports whether statements are prepared, as far as that is known. Planning a
// save with a history takes longer than the function does in its place.
func (b *backend) prepares() bool { return b.pool != nil && b.pool.connector.prepares() }
