package manifest

// Merge returns the layers of a configuration as one: a later layer wins over an
// earlier one, and where both have a map under a key, the maps are merged in the
// same way. A null says nothing: it does not take away what an earlier layer
// has. Lists are replaced, not joined. The result shares nothing with the
// layers, which are not changed, and is never nil.
func Merge(layers ...map[string]any) map[string]any {
	merged := map[string]any{}
	for _, layer := range layers {
		for key, value := range layer {
			before, has := merged[key]
			if value == nil && has {
				continue
			}
			lower, lowerIsMap := before.(map[string]any)
			upper, upperIsMap := value.(map[string]any)
			if lowerIsMap && upperIsMap {
				merged[key] = Merge(lower, upper)
				continue
			}
			merged[key] = clone(value)
		}
	}
	return merged
}

func clone(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		return Merge(v)
	case []any:
		if v == nil {
			return v
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	case []string:
		return append([]string(nil), v...)
	}
	return value
}
