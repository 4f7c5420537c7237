// Package suite runs conformance checks against environment providers: it holds
// what a [Check] is, the world a check runs in, and what comes of it. The checks
// themselves stand in the packages below conformance/checks.
//
// A check sees a provider as a Codebolt server does. It makes environments with
// [T.Env], which runs the provider's program through the emulated server of
// conformance/server, and judges what crosses the wire and what is left on disk,
// never how the program is made. Answers are judged as raw JSON, against literals
// written down from the protocol: a judge that shares the defendant's types
// shares its mistakes.
//
//	var read = suite.Check{
//		ID: "FS-001", Title: "A file is read as a plain string", Level: suite.Must,
//		Why: "Servers put the string into the editor as it comes.",
//		Run: func(t *suite.T) {
//			e := t.Open(suite.Spec{})
//			t.Equal("the message", e.Result(suite.Message{"type": "providerReadFile", "path": "README.md"}), "a project\n")
//		},
//	}
//
// The package does not print anything; conformance/report does.
package suite
