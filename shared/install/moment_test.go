//go:build linux || darwin

package install_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/install"
)

// TestAProviderIsThereAtEveryMoment looks for a provider as often as it can while it is
// replaced: whoever kills the installer at some moment finds what is seen here.
func TestAProviderIsThereAtEveryMoment(t *testing.T) {
	folder := install.In(filepath.Join(t.TempDir(), "providers"))
	versions := []install.Parts{parts(t, "1.0.0", "exit 0"), parts(t, "2.0.0", "exit 0")}
	at := put(t, folder, versions[0], install.Options{}).Dir
	over, looked := make(chan struct{}), make(chan int)
	go func() {
		files := []string{"dist/index.js", "providers.yaml", "package.json", "SHA256SUMS", "bin/" + string(install.Here()) + "/example-provider"}
		n := 0
		defer func() { looked <- n }()
		for {
			for _, name := range files {
				if _, err := os.Stat(filepath.Join(at, name)); err != nil {
					t.Errorf("while it is replaced: %v", err)
					return
				}
				n++
			}
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	for i := range 100 {
		if change := put(t, folder, versions[(i+1)%2], install.Options{}); change.What != install.DidReplace {
			t.Fatalf("replacement %d did %+v", i, change)
		}
	}
	close(over)
	if n := <-looked; n < 1000 {
		t.Errorf("it was looked at only %d times", n)
	}
}
