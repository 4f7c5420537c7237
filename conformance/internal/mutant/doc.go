// Command mutant is a deliberately broken provider: a correct one with one defect
// put on. The conformance suite must see each defect, by the check that is meant
// for it.
//
//	mutant DEFECT PROGRAM ARGS...
//
// It runs PROGRAM, a provider, stands between it and the server, and passes on
// everything, frames, signals, connections and exit status, except where the
// [defect] of that name does something else. Without one, "none", the two
// together are a provider like any other.
package main
