// Package agent is an agent reduced to what checks need of one: it connects as those
// with the SDK do, says what each message that it is given wants said, and reports all
// that it hears.
//
// It is a process of its own, which the runtime of the provider under test starts as an
// agent of the type "command":
//
//	{"argv": [PROGRAM, …], "endpoint": true}
//
// PROGRAM calls [Main]. It needs nothing but its connection, so it works wherever the
// environment is. The userMessage that it is given is a list of [Step], as [Script]
// writes it; when all is done it ends the message with processStoped. What it hears it
// sends back, each frame as a text, in reports for the platform:
//
//	{"type":"sendMessage","message":"heard","pid":PID,"frame":"…"}
package agent
