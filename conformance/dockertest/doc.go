// Package dockertest gives tests and benchmarks a real Docker daemon, and sees to
// it that nothing of it stays:
//
//	func TestMain(m *testing.M) { os.Exit(dockertest.Main(m)) }
//
//	func TestAContainerStarts(t *testing.T) {
//		daemon := dockertest.Shared(t) // the machine's daemon, or one of this process
//		image := daemon.Image(t)       // a root with busybox, made on the spot
//		…                              // with daemon.Host as DOCKER_HOST
//	}
//
// [Shared] is for tests that only use a daemon. [New] starts one for a single
// test, to be killed, restarted or filled up; it needs Linux and root.
//
// A daemon of our own lives with its containerd, its containers, its mounts, its
// networks and its firewall rules in namespaces whose first process belongs to
// this package: when that ends, the kernel ends and removes the rest. It ends
// with the test process, even one that was killed. So any number of daemons run
// beside each other and beside the machine's, and none reaches the outside; see
// [Daemon.Listen] for what a daemon shall reach.
//
// The package speaks the few requests of the Engine API that it needs by itself,
// so that a test does not judge a client by the same client.
package dockertest
