package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// safeNameLength bounds the readable part of a safe name, in bytes.
const safeNameLength = 40

// SafeName makes a name for directories and branches from an untrusted one and
// a key that tells it from all others; see [OpenRequest.SafeName].
func SafeName(name, key string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case r == '.' && !strings.HasSuffix(b.String(), "."):
			b.WriteByte('.')
		case !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= safeNameLength {
			break
		}
	}
	clean := strings.Trim(b.String(), ".-")
	if clean == "" {
		clean = "env"
	}
	return clean + "-" + key[:8]
}

// environmentKey is 16 hexadecimal digits that identify an environment.
func environmentKey(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
