package redact

import (
	"slices"
	"strings"
	"unicode"
)

// secretWords are the words that make a name a secret's.
var secretWords = []string{
	"key", "keys", "token", "tokens", "secret", "secrets", "password", "passwords", "passwd",
	"passphrase", "credential", "credentials", "auth", "oauth", "authorization", "cookie", "cookies",
	// Names are also written in one word.
	"apikey", "authkey", "accesskey", "privatekey", "secretkey", "sshkey", "signingkey",
}

// secretEndings end names written in one word, such as GITHUBTOKEN, and no
// ordinary word.
var secretEndings = []string{"token", "secret", "password", "passwd", "credential", "credentials"}

// SecretName reports whether a variable, a configuration key, a query parameter
// or a header of this name holds a secret: whether one of its words is key,
// token, secret, password, passwd, credential, auth or cookie, in any case, also
// in the plural. Words are told apart by punctuation, digits and inner capitals,
// so that "apiKey" and "GITHUB_TOKEN" are secrets and "author", "keyboard" and
// "tokenizer" are not. A name that ends with the word file, such as "passwordFile",
// is that of a path, which is no secret.
func SecretName(name string) bool {
	all := slices.Collect(words(name))
	if len(all) > 0 && strings.EqualFold(all[len(all)-1], "file") {
		return false
	}
	for _, word := range all {
		word = strings.ToLower(word)
		if slices.Contains(secretWords, word) {
			return true
		}
		for _, end := range secretEndings {
			if strings.HasSuffix(word, end) {
				return true
			}
		}
	}
	return false
}

// words yields the words of a name. "APIKey" is API and Key: a capital that a
// small letter follows begins a word also after capitals.
func words(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		runes := []rune(name)
		start := 0
		for i := 0; i <= len(runes); i++ {
			end := i == len(runes) || !unicode.IsLetter(runes[i])
			if !end && i > start && unicode.IsUpper(runes[i]) {
				end = !unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])
			}
			if !end {
				continue
			}
			if i > start && !yield(string(runes[start:i])) {
				return
			}
			start = i
			if i < len(runes) && !unicode.IsLetter(runes[i]) {
				start = i + 1
			}
		}
	}
}
