// Package archive fetches archives of programs that come from elsewhere, and unpacks
// them without trusting them: nothing is written outside of one folder, nothing
// becomes larger than was allowed, and no error has a secret of the address.
//
//	err := archive.Fetch(ctx, address, file, archive.FetchOptions{Allow: archive.Secure})
//	err = archive.Unpack(ctx, file, size, folder, archive.UnpackOptions{})
//
// It packs them as well, the same files to the same bytes.
//
// It does not know what an archive is for. Where the files of an environment are
// packed, package transfer is meant.
package archive
