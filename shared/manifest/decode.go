package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Decode fills the struct that into points to from a configuration. Fields are
// named, exactly, with the tag `config:"name"`; fields without a tag are left
// alone, as are those whose key is missing or null.
//
// A time.Duration is read from a number as milliseconds or from a text such as
// "10s"; it may come out negative. Because forms send everything as text, a
// number is also read from its digits, with "" as 0, and a bool from "true" and
// "false". Nothing else is converted: any other type is an error of kind Invalid
// that names the key and never shows the value, which may be a secret.
//
// The keys that into has no field for are returned sorted, nested ones as
// "outer.inner". After an error into may be filled in part.
func Decode(config map[string]any, into any) (unknown []string, err error) {
	unknown, wrong, err := decode(config, into)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		var sentences []string
		for _, one := range wrong {
			sentences = append(sentences, one.sentence())
		}
		return nil, wire.Errorf(wire.Invalid, "configuration: %s", strings.Join(sentences, "; "))
	}
	return unknown, nil
}

// wrongValue is a value that does not fit its key.
type wrongValue struct {
	key string
	how *mismatch // nil: nobody knows more
}

func (w wrongValue) sentence() string {
	if w.how == nil {
		return w.key + " has a value of the wrong type"
	}
	return fmt.Sprintf("%s is %s; write %s", w.key, w.how.got, w.how.want)
}

func decode(members map[string]any, into any) (unknown []string, wrong []wrongValue, err error) {
	var meta mapstructure.Metadata
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		DecodeHook:           convert,
		Metadata:             &meta,
		Result:               into,
		TagName:              "config",
		IgnoreUntaggedFields: true,
		MatchName:            func(key, field string) bool { return key == field },
	})
	if err != nil {
		return nil, nil, wire.Errorf(wire.Internal, "decode a configuration: %w", err)
	}
	if err := decoder.Decode(members); err != nil {
		wrong = mismatches("", err)
		slices.SortFunc(wrong, func(a, b wrongValue) int { return strings.Compare(a.sentence(), b.sentence()) })
		return nil, wrong, nil
	}
	slices.Sort(meta.Unused)
	return meta.Unused, nil, nil
}

// mismatches finds the values that do not fit in the decoder's errors. The decoder's
// own texts are not shown: they hold values.
func mismatches(key string, err error) []wrongValue {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []wrongValue
		for _, one := range many.Unwrap() {
			all = append(all, mismatches(key, one)...)
		}
		return all
	}
	if named, ok := err.(*mapstructure.DecodeError); ok && named.Name() != "" { //nolint:errorlint // as below
		key = named.Name()
	}
	if how, ok := err.(*mismatch); ok { //nolint:errorlint // the tree is walked by hand
		return []wrongValue{{key, how}}
	}
	if inner := errors.Unwrap(err); inner != nil {
		return mismatches(key, inner)
	}
	return []wrongValue{{key, nil}}
}

// mismatch is the error of a value that cannot become what it should.
type mismatch struct{ got, want string }

func (m *mismatch) Error() string { return "got " + m.got + ", want " + m.want }

var durationType = reflect.TypeFor[time.Duration]()

// convert is called for every value before it is stored in a field. It does all
// conversions and refuses what cannot be stored, so that the decoder itself
// never has to judge.
func convert(from, to reflect.Value) (any, error) {
	for from.Kind() == reflect.Interface || from.Kind() == reflect.Pointer {
		if from.IsNil() {
			return from.Interface(), nil
		}
		from = from.Elem()
	}
	value := from.Interface()
	if number, ok := value.(json.Number); ok {
		value = string(number) // its digits
	}
	if to.Type() == durationType {
		return duration(value)
	}
	switch to.Kind() {
	case reflect.Bool:
		switch v := value.(type) {
		case bool:
			return v, nil
		case string:
			switch strings.ToLower(strings.TrimSpace(v)) {
			case "true":
				return true, nil
			case "false":
				return false, nil
			}
			return nil, &mismatch{"another text", "true or false"}
		}
		return nil, &mismatch{describe(from), "true or false"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integer(value, from, to)
	case reflect.Float32, reflect.Float64:
		if f, ok := number(value); ok {
			return f, nil
		}
		return nil, &mismatch{describe(from), "a number"}
	case reflect.String:
		if from.Kind() != reflect.String {
			return nil, &mismatch{describe(from), "a text, in quotes where need be"}
		}
	case reflect.Slice:
		if from.Kind() != reflect.Slice && from.Kind() != reflect.Array {
			return nil, &mismatch{describe(from), "a list"}
		}
	case reflect.Map, reflect.Struct:
		if from.Kind() != reflect.Map && from.Type() != to.Type() {
			return nil, &mismatch{describe(from), "keys and values"}
		}
	default:
	}
	return value, nil
}

// number reads a number or its digits.
func number(value any) (float64, bool) {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return float64(v.Int()), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return float64(v.Uint()), true
	case reflect.Float32, reflect.Float64:
		return v.Float(), !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	case reflect.String:
		text := strings.TrimSpace(v.String())
		if text == "" {
			return 0, true
		}
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	default:
		return 0, false
	}
}

func integer(value any, from, to reflect.Value) (any, error) {
	const want = "a whole number"
	f, ok := number(value)
	switch {
	case !ok:
		return nil, &mismatch{describe(from), want}
	case f != math.Trunc(f):
		return nil, &mismatch{"a fraction", want}
	}
	target := reflect.New(to.Type()).Elem()
	// The bound is exact: it is the first power of two that does not fit.
	if target.CanInt() {
		if f < math.MinInt64 || f >= 1<<63 || target.OverflowInt(int64(f)) {
			return nil, &mismatch{"a number out of range", want + " that is closer to 0"}
		}
		target.SetInt(int64(f))
	} else {
		if f < 0 {
			return nil, &mismatch{"a negative number", want + " that is not negative"}
		}
		if f >= 1<<64 || target.OverflowUint(uint64(f)) {
			return nil, &mismatch{"a number out of range", want + " that is closer to 0"}
		}
		target.SetUint(uint64(f))
	}
	return target.Interface(), nil
}

func duration(value any) (any, error) {
	if d, ok := value.(time.Duration); ok {
		return d, nil
	}
	if text, ok := value.(string); ok {
		if d, err := time.ParseDuration(strings.TrimSpace(text)); err == nil {
			return d, nil
		}
	}
	ms, ok := number(value)
	if !ok {
		return nil, &mismatch{describe(reflect.ValueOf(value)), `milliseconds, or a text such as "10s"`}
	}
	if ns := ms * float64(time.Millisecond); math.Abs(ns) < 1<<63 {
		return time.Duration(ns), nil
	}
	return nil, &mismatch{"a time out of range", `milliseconds, or a text such as "10s"`}
}

func describe(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		if v.Len() == 0 {
			return "empty"
		}
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a group of keys"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a number"
	default:
		return "of another type"
	}
}

func quote(text string) string { return strconv.Quote(text) }
