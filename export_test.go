package checkpoint

// EachThread is what Copy and Rekey go through threads with.
var EachThread = eachThread

// RememberedBytes returns what the handle remembers for incremental saves.
func RememberedBytes(s *Store) int64 {
	s.conn.states.mu.Lock()
	defer s.conn.states.mu.Unlock()
	return s.conn.states.used
}
