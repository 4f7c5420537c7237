package workspace

// SlowOnly makes a Local work as on systems without openat2.
func (l *Local) SlowOnly() {
	l.mu.Lock()
	defer l.mu.Unlock()
	closeFast(l.fd)
	l.fd = -1
}
