// Package procgroup runs a program together with all that it starts: in a group of
// its own that is ended as a whole, and with its output read without tearing
// characters apart. It decides nothing about when to end it.
//
//	p, err := procgroup.Start(cmd)
//	p.Read(func(b []byte) { … }, func(b []byte) { … })
//	<-p.Gone()          // the program itself has ended
//	left := p.EndRest() // and so has what it left running in its group
//	p.Release()         // and its output is read
//
// What makes itself independent leaves the group. Whoever must end that too gives
// the program a variable that marks it, and asks [resource.KillMarked] to.
//
// On Windows processes have no group: there the program and its descendants are
// ended while it lives, and what it left behind is not found.
//
// [resource.KillMarked]: https://pkg.go.dev/github.com/codeboltai/codebolt-providers/shared/resource#KillMarked
package procgroup
