// Package runtime is an upstream agent server reduced to what its connection to
// an environment provider needs: it says that it is ready, answers /health,
// greets who connects with "registered", keeps a journal of what it is told, and
// says and does to the connection what a check wants. It runs no agents.
//
// It is a process of its own, started by the provider under test, whose setting
// runtime.command names it:
//
//	runtime.command = [PROGRAM, …, "--port", "{port}", "--dir", DIR]
//
// PROGRAM calls [Main]. The check that made DIR steers the process and reads its
// journal with a [Control]. A runtime that the provider starts anew goes on with
// the same journal, and with the settings of its argv.
package runtime
