package runtime

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestWhoListensAtAPortIsKnown(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if listensFor(ln.Addr().String(), "an-instance") {
		t.Error("this process is taken for a runtime")
	}
	// A child that says where it listens.
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestHelperThatListens", "-test.v")
	child.Env = append(os.Environ(), wire.EnvRuntimeInstance+"=an-instance", "LISTEN_FOR_TEST=1")
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	address := ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		if host, _, err := net.SplitHostPort(lines.Text()); err == nil && host == "127.0.0.1" {
			address = lines.Text()
		}
	}
	if address == "" {
		t.Fatal("the child said nothing")
	}
	if !listensFor(address, "an-instance") || listensFor(address, "another-instance") {
		t.Errorf("at %s: ours %v, another's %v", address, listensFor(address, "an-instance"), listensFor(address, "another-instance"))
	}
	if !listensFor("127.0.0.1:1", "an-instance") {
		t.Error("where nobody listens, nobody else does")
	}
}

// TestHelperThatListens is the child of the test above.
func TestHelperThatListens(t *testing.T) {
	if os.Getenv("LISTEN_FOR_TEST") == "" {
		return
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString(ln.Addr().String() + "\n")
	select {}
}
