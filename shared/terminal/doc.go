// Package terminal runs programs in terminals of their own, for people who come and go:
// what a program shows is kept to a bounded amount, whoever comes back sees it from
// where they left, and a program that nobody looks at goes on.
//
//	all := terminal.New(terminal.Limits{})
//	defer all.Close()
//	t, err := all.Open(terminal.Options{Argv: []string{"bash", "-l"}, Dir: dir, Env: env})
//	r := t.Reader(0)
//	n, at, err := r.Next(ctx, buf)
//
// It knows no protocol. Where a system has no terminals of this kind, as Windows, Open
// fails with Unsupported.
package terminal
