package install_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestRuntimesAreForWhereEnvironmentsMayBe(t *testing.T) {
	programs := t.TempDir()
	for _, platform := range []string{"linux-amd64", "linux-arm64", "windows-arm64"} {
		for _, program := range []string{"example-provider", "codebolt-runtime"} {
			at := filepath.Join(programs, platform, install.Platform(platform).Executable(program))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(platform), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		elsewhere string
		platform  install.Platform
		want      []string
	}{
		"here":                   {"", "linux-amd64", []string{"codebolt-runtime", "example-provider"}},
		"here on Windows":        {"", "windows-arm64", []string{"codebolt-runtime.exe", "example-provider.exe"}},
		"elsewhere":              {"runtimePlatforms: [linux-amd64, linux-arm64]\n", "linux-amd64", []string{"codebolt-runtime", "codebolt-runtime-linux-arm64", "example-provider"}},
		"elsewhere from Windows": {"runtimePlatforms: [linux-amd64, linux-arm64]\n", "windows-arm64", []string{"codebolt-runtime-linux-amd64", "codebolt-runtime-linux-arm64", "example-provider.exe"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := &fstest.MapFile{Data: []byte(strings.ReplaceAll(manifestText, "VERSION", "1.0.0") + "nativeEntrypoint: bin/{platform}/example-provider\n" + test.elsewhere)}
			parts, err := install.Gather(fstest.MapFS{"codeboltprovider.yaml": text, "providers.yaml": text}, programs, test.platform)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, program := range parts.Programs {
				got = append(got, program.Name)
				if program.Platform != test.platform {
					t.Errorf("%s is for %s", program.Name, program.Platform)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	text := &fstest.MapFile{Data: []byte(strings.ReplaceAll(manifestText, "VERSION", "1.0.0") + "nativeEntrypoint: bin/{platform}/example-provider\nruntimePlatforms: [linux-s390x]\n")}
	_, err := install.Gather(fstest.MapFS{"codeboltprovider.yaml": text, "providers.yaml": text}, programs, "linux-amd64")
	if wire.CodeOf(err) != wire.NotFound || !strings.Contains(err.Error(), "codebolt-runtime for linux-s390x") {
		t.Errorf("a runtime that was not built: %v", err)
	}
}
