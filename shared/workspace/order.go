package workspace

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CompareNames orders names much as JavaScript's localeCompare does for Latin
// scripts: by their letters without regard to case and accents, punctuation
// before digits before letters; then by accents; then small letters before
// capitals; and at last byte by byte, so that only equal names compare equal.
// Other scripts are in the order of their code points. It returns a negative
// number, zero or a positive one.
func CompareNames(a, b string) int {
	if n := compareRunes(a, b, primary); n != 0 {
		return n
	}
	if n := compareRunes(a, b, accented); n != 0 {
		return n
	}
	if n := compareRunes(a, b, capital); n != 0 {
		return n
	}
	return strings.Compare(a, b)
}

// compareRunes compares by a weight, leaving out runes of negative weight.
func compareRunes(a, b string, weight func(rune) int) int {
	for {
		x, restA := nextWeight(a, weight)
		y, restB := nextWeight(b, weight)
		if x != y {
			return x - y
		}
		if x < 0 {
			return 0
		}
		a, b = restA, restB
	}
}

func nextWeight(s string, weight func(rune) int) (int, string) {
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		if w := weight(r); w >= 0 {
			return w, s
		}
	}
	return -1, ""
}

// punctuation is in the order of the Unicode collation's root.
const punctuation = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"

func primary(r rune) int {
	if r < utf8.RuneSelf {
		switch {
		case r >= '0' && r <= '9':
			return 0x100 + int(r)
		case r >= 'a' && r <= 'z':
			return 0x200 + int(r)
		case r >= 'A' && r <= 'Z':
			return 0x200 + int(r) + 'a' - 'A'
		}
		if i := strings.IndexRune(punctuation, r); i >= 0 {
			return 0x40 + i
		}
		return int(r) & 0x3f // spaces and controls
	}
	if unicode.Is(unicode.Mn, r) {
		return -1 // the accent of a name in decomposed form
	}
	r = unicode.ToLower(r)
	if base, ok := latin[r]; ok {
		return 0x200 + int(base)
	}
	return 0x400 + int(r)
}

func accented(r rune) int {
	if unicode.Is(unicode.Mn, r) {
		return int(r)
	}
	if _, ok := latin[unicode.ToLower(r)]; ok {
		return int(unicode.ToLower(r))
	}
	return 0
}

func capital(r rune) int {
	if unicode.IsUpper(r) {
		return 1
	}
	return 0
}

// latin gives the letter under the accent.
var latin = func() map[rune]rune {
	m := map[rune]rune{}
	for base, letters := range map[rune]string{
		'a': "àáâãäåāăą", 'c': "çćĉċč", 'd': "ďđ", 'e': "èéêëēĕėęě", 'g': "ĝğġģ", 'h': "ĥħ", 'i': "ìíîïĩīĭįı",
		'j': "ĵ", 'k': "ķ", 'l': "ĺļľŀł", 'n': "ñńņň", 'o': "òóôõöøōŏő", 'r': "ŕŗř", 's': "śŝşš", 't': "ţťŧ",
		'u': "ùúûüũūŭůűų", 'w': "ŵ", 'y': "ýÿŷ", 'z': "źżž",
	} {
		for _, r := range letters {
			m[r] = base
		}
	}
	return m
}()
