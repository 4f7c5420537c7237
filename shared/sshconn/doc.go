// Package sshconn opens one SSH connection the way users of OpenSSH expect it:
// by the aliases, keys, agents, jump hosts and known hosts of their ssh_config,
// which it reads itself, without the ssh program.
//
//	target, err := sshconn.ParseURL(u) // ssh://alice@build
//	client, err := sshconn.Dial(ctx, target, sshconn.Options{Log: log})
//	defer client.Close()
//	conn, err := client.DialUnix(ctx, "/var/run/docker.sock")
//
// What a person must say is asked by Options.Ask, and [Askpass] is one that runs the
// program of SSH_ASKPASS.
//
// Every hop proves its host key; there is no way to switch that off. A peer that
// vanished without a goodbye is noticed within three keepalive intervals, and
// Done is closed then. A [Line] connects again when it is next needed. Programs
// run on the far side by [Client.Run] and [Client.Pipe], and what else SSH can do
// is the caller's, through [Client.SSH].
//
// Of ssh_config it honours what decides where and as whom to connect and whom to
// trust: Host, Match (but exec, and what later versions of OpenSSH added, never
// match), Include, HostName, Port, User, AddressFamily, IdentityFile,
// IdentitiesOnly, IdentityAgent, CertificateFile, UserKnownHostsFile,
// GlobalKnownHostsFile, HashKnownHosts, StrictHostKeyChecking, HostKeyAlgorithms,
// HostKeyAlias, RevokedHostKeys, ProxyJump, ConnectTimeout, ServerAliveInterval,
// BatchMode, PreferredAuthentications, NumberOfPasswordPrompts, and the switches
// of the three methods of authentication it knows. Agent forwarding stays off.
package sshconn
