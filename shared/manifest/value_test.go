package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestVariablesAreReadAndTheirValuesNeverShown(t *testing.T) {
	t.Parallel()
	for _, value := range []any{map[string]any{"A": "1", "B": 2.0, "C": true}, []any{"A=1", "B=2", "C=true"}} {
		got, err := manifest.Variables(value)
		if diff := cmp.Diff(map[string]string{"A": "1", "B": "2", "C": "true"}, got); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", value, err, diff)
		}
	}
	for _, value := range []any{"A=hidden", []any{"hidden"}, map[string]any{"A": []any{"hidden"}}, map[string]any{"A=B": "hidden"}, map[string]any{"A": "hid\x00den"}, []any{5}} {
		_, err := manifest.Variables(value)
		if wire.CodeOf(err) != wire.Invalid || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v: %v", value, err)
		}
	}
}
