package manifest

import (
	"strings"
	"unicode/utf8"
)

// Nearest returns the known key that a mistyped one probably means: the one
// with the fewest letters inserted, left out, replaced or swapped with their
// neighbour, case aside. It is false when even the best is too different to
// suggest, which is over a third of the key. Among equals the first wins.
func Nearest(key string, known []string) (string, bool) {
	lower := strings.ToLower(key)
	best, fewest := "", max(1, utf8.RuneCountInString(key)/3)+1
	for _, candidate := range known {
		if candidate == "" {
			continue
		}
		if n := distance(lower, strings.ToLower(candidate)); n < fewest {
			best, fewest = candidate, n
		}
	}
	return best, best != ""
}

// distance is the optimal string alignment distance.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			n := min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				n = min(n, rows[i-2][j-2]+1)
			}
			rows[i][j] = n
		}
	}
	return rows[len(a)][len(b)]
}
