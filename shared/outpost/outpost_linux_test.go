package outpost_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// here serves requests in this process.
func here(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	return outpost.Serve(ctx, args[1:], stdin, stdout, stderr), nil
}

func folder(t *testing.T) outpost.Folder {
	t.Setenv("HOME", t.TempDir())
	return outpost.Folder{
		Dir: filepath.Join(os.Getenv("HOME"), "environments"), Name: "one", Ours: true,
		Marker: outpost.Marker{Owner: "owner", Key: "key", Birth: "birth"},
	}
}

func ask(t *testing.T, do string, f outpost.Folder) (*outpost.Answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return outpost.Ask(ctx, here, &outpost.Request{Do: do, Folder: f})
}

func must(t *testing.T, do string, f outpost.Folder) *outpost.Answer {
	t.Helper()
	answer, err := ask(t, do, f)
	if err != nil {
		t.Fatalf("%s: %v", do, err)
	}
	return answer
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderComesAndGoesWhole(t *testing.T) {
	f := folder(t)
	if a := must(t, outpost.Look, f); a.There || a.Filled {
		t.Errorf("before: %+v", a)
	}
	if a := must(t, outpost.Make, f); !a.Made || a.Filled {
		t.Errorf("made: %+v", a)
	}
	must(t, outpost.Filled, f)
	if a := must(t, outpost.Look, f); !a.There || !a.Filled {
		t.Errorf("afterwards: %+v", a)
	}
	if a := must(t, outpost.Make, f); a.Made || !a.Filled {
		t.Errorf("made again: %+v", a)
	}
	if info, err := os.Stat(f.Run()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("what is the runtime's own: %v, %v", info, err)
	}
	// What agents leave: folders that nobody may write in, and links that lead away.
	outside := t.TempDir()
	write(t, filepath.Join(outside, "precious"), "precious")
	shut := filepath.Join(f.Files(), "cache", "shut")
	if err := os.MkdirAll(shut, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(shut, "file"), "")
	for _, err := range []error{os.Chmod(shut, 0o500), os.Symlink(outside, filepath.Join(f.Files(), "away"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(t, outpost.Remove, f)
	must(t, outpost.Remove, f)
	if _, err := os.Lstat(f.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", f.Dir, err)
	}
	if _, err := os.Lstat(filepath.Join(outside, "precious")); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestWhatCarriesNoMarkerOfOursIsRefusedAndStays(t *testing.T) {
	f := folder(t)
	other := f
	other.Marker.Birth = "another life"
	for name, prepare := range map[string]func(){
		"no marker":       func() { _ = os.MkdirAll(f.Files(), 0o755) },
		"a file":          func() { _ = os.MkdirAll(f.Dir, 0o755); write(t, f.Path(), "a file") },
		"a link":          func() { _ = os.MkdirAll(f.Dir, 0o755); _ = os.Symlink(t.TempDir(), f.Path()) },
		"an earlier life": func() { must(t, outpost.Make, other) },
		"an empty folder": func() { _ = os.MkdirAll(f.Path(), 0o755) },
		"a broken marker": func() {
			_ = os.MkdirAll(f.Path(), 0o755)
			write(t, filepath.Join(f.Path(), ".codebolt-environment"), "{")
		},
		"somebody's draft": func() { _ = os.MkdirAll(filepath.Join(f.Dir, ".one.new", "x"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { _ = os.RemoveAll(f.Dir) }()
			prepare()
			before := tree(t, f.Dir)
			if _, err := ask(t, outpost.Make, f); wire.CodeOf(err) != wire.Conflict {
				t.Errorf("made: %v", err)
			}
			must(t, outpost.Remove, f)
			if after := tree(t, f.Dir); after != before {
				t.Errorf("there was\n%sand there is\n%s", before, after)
			}
		})
	}
}

func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			b.WriteString(path + " " + d.Type().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestARemovalOrAStartThatWasKilledIsFinished(t *testing.T) {
	f := folder(t)
	must(t, outpost.Make, f)
	for _, name := range []string{f.Files(), f.Run()} { // the marker goes last
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
	must(t, outpost.Remove, f)
	draft := filepath.Join(f.Dir, ".one.new")
	if err := os.MkdirAll(draft, 0o700); err != nil { // killed before it had a marker
		t.Fatal(err)
	}
	if a := must(t, outpost.Make, f); !a.Made {
		t.Errorf("%+v", a)
	}
	if err := os.Rename(f.Path(), draft); err != nil { // killed before it had its name
		t.Fatal(err)
	}
	if a := must(t, outpost.Make, f); !a.Made {
		t.Errorf("%+v", a)
	}
	must(t, outpost.Remove, f)
	if _, err := os.Lstat(f.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", f.Dir, err)
	}
}

func TestWhoeverChangesAFolderWaitsForItsTurn(t *testing.T) {
	f := folder(t)
	must(t, outpost.Make, f)
	turn, err := resource.Acquire(t.Context(), filepath.Join(f.Dir, ".one.lock"))
	if err != nil {
		t.Fatal(err)
	}
	removed := make(chan error, 1)
	go func() {
		_, err := outpost.Ask(t.Context(), here, &outpost.Request{Do: outpost.Remove, Folder: f})
		removed <- err
	}()
	select {
	case err := <-removed:
		t.Fatalf("it is removed while another is at it: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := turn.Release(); err != nil {
		t.Fatal(err)
	}
	if err := <-removed; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(f.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", f.Dir, err)
	}
}

func TestWhatIsNoFolderOfAnEnvironmentIsInvalid(t *testing.T) {
	f := folder(t)
	for _, change := range []func(*outpost.Folder){
		func(f *outpost.Folder) { f.Dir = "/" },
		func(f *outpost.Folder) { f.Dir = "relative" },
		func(f *outpost.Folder) { f.Dir += "/../.." },
		func(f *outpost.Folder) { f.Name = "../x" },
		func(f *outpost.Folder) { f.Name = ".." },
		func(f *outpost.Folder) { f.Name = "" },
		func(f *outpost.Folder) { f.Marker.Birth = "" },
	} {
		wrong := f
		change(&wrong)
		for _, do := range []string{outpost.Make, outpost.Remove} {
			if _, err := ask(t, do, wrong); wire.CodeOf(err) != wire.Invalid {
				t.Errorf("%s %+v: %v", do, wrong, err)
			}
		}
	}
	if _, err := ask(t, "dance", f); wire.CodeOf(err) != wire.Unsupported {
		t.Errorf("%v", err)
	}
}

func TestAProgramBesideTheFilesEndsWithWhoeverAskedForIt(t *testing.T) {
	f := folder(t)
	must(t, outpost.Make, f)
	var out bytes.Buffer
	request := &outpost.Request{Do: outpost.Exec, Folder: f, Argv: []string{"sh", "-c", `pwd; echo "$A"; echo bad >&2; exit 7`}, Env: []string{"A=b c"}}
	status, err := outpost.AskExec(t.Context(), here, request, &out)
	if want := f.Files() + "\nb c\nbad\n"; err != nil || status != 7 || out.String() != want {
		t.Errorf("status %d, %v, %q, want %q", status, err, out.String(), want)
	}
	out.Reset()
	request.Argv = []string{"no-such-program"}
	if status, err := outpost.AskExec(t.Context(), here, request, &out); err != nil || status != 127 || !strings.Contains(out.String(), "no-such-program") {
		t.Errorf("status %d, %v, %q", status, err, out.String())
	}
	request.Argv = []string{"sh", "-c", "sleep 60 & sleep 60"}
	text, err := wire.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if status := outpost.Serve(t.Context(), nil, strings.NewReader(string(text)+"\n"), io.Discard, io.Discard); status != 128+9 || time.Since(begun) > 10*time.Second {
		t.Errorf("status %d after %v", status, time.Since(begun))
	}
}

func TestAskingWhetherAnotherAgentServerRunsCutsItsLog(t *testing.T) {
	f := folder(t)
	must(t, outpost.Make, f)
	log := filepath.Join(f.Run(), "log")
	write(t, log, strings.Repeat(strings.Repeat("x", 1023)+"\n", 9<<10)+"the newest\n")
	pid := os.Getpid()
	started, _ := resource.ProcessStarted(pid)
	for _, upstream := range []bool{false, true} {
		r := &outpost.Request{Do: outpost.Alive, Folder: f, Record: resource.RuntimeRecord{PID: pid, Started: started, Upstream: upstream}}
		if a, err := outpost.Ask(t.Context(), here, r); err != nil || !a.Alive {
			t.Fatalf("%+v, %v", a, err)
		}
		text, err := os.ReadFile(log)
		if cut := len(text) < 2<<20; err != nil || cut != upstream || !bytes.HasSuffix(text, []byte("\nthe newest\n")) {
			t.Errorf("another's is %v: the log has %d bytes, %v", upstream, len(text), err)
		}
	}
}
