package dockertest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"
)

// holding is the environment variable that lets this program hold a daemon, see
// [hold], instead of testing.
const holding = "DOCKERTEST_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(holding) != "" {
		if err := hold(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(Main(m))
}

// run runs a command in a new container and gives its output. The container is
// removed; with a wrong status the test fails.
func run(t *testing.T, d *Daemon, config map[string]any) string {
	t.Helper()
	id := create(t, d, config)
	call(t, d, http.MethodPost, "/containers/"+id+"/start", nil, nil)
	var ended struct{ StatusCode int }
	call(t, d, http.MethodPost, "/containers/"+id+"/wait", nil, &ended)
	var out bytes.Buffer
	call(t, d, http.MethodGet, "/containers/"+id+"/logs?stdout=1&stderr=1", nil, &out)
	if ended.StatusCode != 0 {
		t.Fatalf("%v ended with status %d: %s", config["Cmd"], ended.StatusCode, &out)
	}
	return out.String()
}

// create makes a container that is removed with the test. Its output is that of a
// terminal, which comes as it is.
func create(t *testing.T, d *Daemon, config map[string]any) string {
	t.Helper()
	config["Tty"] = true
	var made struct{ ID string }
	call(t, d, http.MethodPost, "/containers/create", config, &made)
	t.Cleanup(func() { remove(t, d, "/containers/"+made.ID+"?force=1&v=1") })
	return made.ID
}

// remove removes something of the daemon at the end of a test.
func remove(t *testing.T, d *Daemon, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := d.Call(ctx, http.MethodDelete, path, nil, nil); err != nil {
		t.Error(err)
	}
}

func call(t *testing.T, d *Daemon, method, path string, in, out any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := d.Call(ctx, method, path, in, out); err != nil {
		t.Fatal(err)
	}
}
