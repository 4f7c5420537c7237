package sshconn_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestMain(m *testing.M) {
	// Nothing of the person who runs the tests may have a part in them.
	for _, name := range []string{"SSH_AUTH_SOCK", "SSH_ASKPASS"} {
		_ = os.Unsetenv(name)
	}
	goleak.VerifyTestMain(m)
}

// soon bounds everything that should not take long.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// configured are the options for servers by their own configuration files, with
// more of it before them.
func configured(t *testing.T, first string, servers ...*sshtest.Server) sshconn.Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := first
	for _, s := range servers {
		text += "\n" + s.HostConfig()
	}
	write(t, path, text)
	return sshconn.Options{ConfigFiles: []string{path}}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// dial connects, and closes at the end of the test.
func dial(t *testing.T, host string, o sshconn.Options) *sshconn.Client {
	t.Helper()
	c, err := sshconn.Dial(soon(t), sshconn.Target{Host: host}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// refused expects a failure of a kind whose sentence has all the parts.
func refused(t *testing.T, err error, kind wire.Code, parts ...string) {
	t.Helper()
	if wire.CodeOf(err) != kind {
		t.Errorf("the kind is %q, not %q: %v", wire.CodeOf(err), kind, err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func dialFails(t *testing.T, host string, o sshconn.Options, kind wire.Code, parts ...string) {
	t.Helper()
	late := time.AfterFunc(40*time.Second, func() { panic("Dial did not return") })
	defer late.Stop()
	c, err := sshconn.Dial(soon(t), sshconn.Target{Host: host}, o)
	if err == nil {
		_ = c.Close()
		t.Errorf("it connected, and should not have, for %q", parts)
		return
	}
	refused(t, err, kind, parts...)
}

// run runs a command on the target.
func run(t *testing.T, c *sshconn.Client, command string) string {
	t.Helper()
	session, err := c.SSH().NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	out, err := session.CombinedOutput(command)
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
