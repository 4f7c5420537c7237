// Package transfer carries the content of a directory over a stream, in either
// direction, and only what changed.
//
// The receiver says what it has, the sender packs what differs, the receiver
// unpacks it:
//
//	known, err := transfer.Scan(ctx, there, transfer.ScanOptions{})             // where it is to go
//	result, err := transfer.Pack(ctx, here, w, transfer.PackOptions{Known: known}) // where it is
//	result, err := transfer.Unpack(ctx, there, r, transfer.UnpackOptions{Delete: true})
//
// The three may run on different machines; [Index.WriteTo] and [ReadIndex] carry
// what the receiver has. The stream is a tar archive in PAX format, not
// compressed. Its last entry lists all that the sender's directory holds. By it
// the receiver knows that nothing is missing, deletes the rest, and brings modes
// and times of directories in line.
//
// Where each direction has a stream of its own at the same time, [Send] and [Receive]
// move less: files are cut into chunks, and only those that the receiver has nowhere, in
// a [content.Store] or in other directories, are sent, compressed. A transfer that broke
// goes on where it was.
//
// Content are regular files, directories and symbolic links, with permission
// bits and, but for links, modification times to the nanosecond. Hard links
// become files of their own. FIFOs, sockets and devices stay behind, and so do
// owners, setuid, setgid and sticky bits, extended attributes, and the mode and
// time of the directory itself. What has the same type, size, time and mode on
// both sides is taken to be the same. On Windows there are no permission bits.
//
// Neither side trusts the other: [ReadIndex], [Unpack] and [Receive] take whatever arrives
// and touch nothing outside the directory. The package does not merge: where
// both sides changed, the sender's content stands. It knows no ignore files.
package transfer
