package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Text is a value of a configuration as it would be typed; false for lists and
// objects.
func Text(value any) (string, bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool, int, int64, uint64, json.Number:
		return fmt.Sprint(v), true
	}
	return "", false
}

// Variables reads the variables in the value of the key env: an object, or a list of
// NAME=VALUE. It fails with kind Invalid; their values never get into an error.
func Variables(value any) (map[string]string, error) {
	env := map[string]string{}
	add := func(name string, value any) error {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return wire.Errorf(wire.Invalid, "configuration: env has a variable named %q; a name has no = and is not empty", name)
		}
		written, ok := Text(value)
		if !ok || strings.ContainsRune(written, 0) {
			return wire.Errorf(wire.Invalid, "configuration: env.%s is no text", name)
		}
		env[name] = written
		return nil
	}
	switch v := value.(type) {
	case nil:
	case string:
		if strings.TrimSpace(v) != "" {
			return nil, wire.Errorf(wire.Invalid, `configuration: env is a text; write an object {"NAME": "value"} or a list of NAME=VALUE`)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if err := add(name, v[name]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, item := range v {
			pair, ok := item.(string)
			name, value, found := strings.Cut(pair, "=")
			if !ok || !found {
				return nil, wire.Errorf(wire.Invalid, "configuration: env[%d] is not NAME=VALUE", i)
			}
			if err := add(name, value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, wire.Errorf(wire.Invalid, `configuration: env is neither an object {"NAME": "value"} nor a list of NAME=VALUE`)
	}
	return env, nil
}
