// Package sshtest runs OpenSSH servers on the loopback interface, for tests of
// whatever speaks SSH. It is for tests only, and works on Linux.
//
//	server := sshtest.Start(t, sshtest.Options{})
//	… connect to server.Addr as server.User with server.IdentityFile,
//	or to the host server.Name by server.ConfigFile …
//
// Each server has its own keys, configuration and known_hosts file in a
// temporary directory, and ends with the test.
package sshtest
