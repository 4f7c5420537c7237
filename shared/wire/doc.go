// Package wire holds every message that a Codebolt server, an environment
// provider and a remote runtime exchange, as typed Go with the exact JSON that
// crosses the wire. It does no I/O and keeps no state.
//
// It is for both ends: the provider base encodes answers with it, the emulated
// server decodes them with it, and the runtime speaks its own half. It is not
// a judge: a conformance check compares raw JSON with literals, because a judge
// that shares the defendant's types shares its mistakes.
//
// Three rules hold throughout:
//
//   - A member that a type does not know is kept in its Extra field and encoded
//     again, so that a message passes through unharmed.
//   - How a message is answered, with all the irregularities that history left
//     behind, is one row of [Verbs]; nothing else in the project knows them.
//   - An error is one of a handful of [Code] values and a sentence.
//
// The smallest use:
//
//	head, err := wire.Peek(frame)        // which message is this?
//	verb, ok := wire.VerbOf(head.Type)   // how is it answered?
//	reply, err := verb.Success(head.RequestID, result)
package wire
