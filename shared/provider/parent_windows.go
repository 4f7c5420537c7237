package provider

import (
	"os"
	"sync"

	"golang.org/x/sys/windows"
)

// watchParent calls gone once when the process that started this one ends.
func watchParent(gone func()) (stop func()) {
	parent, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(os.Getppid()))
	if err != nil {
		return func() {} // it is gone or not ours to look at: nobody to miss
	}
	quit, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		_ = windows.CloseHandle(parent) // nothing depends on it
		return func() {}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		which, err := windows.WaitForMultipleObjects([]windows.Handle{parent, quit}, false, windows.INFINITE)
		if err == nil && which == windows.WAIT_OBJECT_0 {
			gone()
		}
	})
	return func() {
		_ = windows.SetEvent(quit) // the wait below would show a failure
		wg.Wait()
		_ = windows.CloseHandle(parent)
		_ = windows.CloseHandle(quit)
	}
}
