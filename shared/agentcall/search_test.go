package agentcall

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/glob"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// hits are the matches of an answer as path:line words.
func (d *desk) hits(m map[string]any) string {
	d.t.Helper()
	var all []string
	results, _ := m["results"].([]any)
	for _, r := range results {
		r := r.(map[string]any)
		for _, x := range r["matches"].([]any) {
			x := x.(map[string]any)
			if x["line"] != x["lineNumber"] {
				d.t.Errorf("line %v is number %v", x["line"], x["lineNumber"])
			}
			all = append(all, fmt.Sprint(d.text(r["path"]), ":", x["line"]))
		}
	}
	return strings.Join(all, " ")
}

func TestLinesAreFoundInFiles(t *testing.T) {
	d := newDesk(t)
	d.file("a.ts", "let foo\nlet Foo\r\nend")
	d.file("b.js", "foo()")
	d.file("src/c.ts", "x\nfoo(1)\n")
	d.file("src/c.test.ts", "foo")
	d.file("src/gen/d.ts", "foo")
	d.file("node_modules/m/e.ts", "foo")
	d.file(".git/f.ts", "foo")
	d.file("binary.ts", "foo\x00")
	d.file("latin.txt", "caf\xe9 foo")
	d.file("large.ts", "foo"+strings.Repeat(" ", maxSearched))
	if err := os.Symlink("b.js", d.path("again.js")); err != nil {
		t.Log("without a link:", err)
	}
	for _, c := range []struct{ action, message, want string }{
		{"grepSearch", `{"path":"DIR","pattern":"foo","options":{"includePattern":"*.ts"}}`, "a.ts:1 src/c.test.ts:1 src/c.ts:2 src/gen/d.ts:1"},
		{"grepSearch", `{"path":"DIR","pattern":"foo","options":{"includePattern":"*.ts","excludePattern":"*.test.ts, gen"}}`, "a.ts:1 src/c.ts:2"},
		{"grepSearch", `{"path":"DIR/src","pattern":"foo","options":{"excludePattern":"gen/**"}}`, "src/c.test.ts:1 src/c.ts:2"},
		{"grepSearch", `{"path":"src","pattern":"foo","options":{"excludePattern":"src/gen/**"}}`, "src/c.test.ts:1 src/c.ts:2"},
		{"grepSearch", `{"path":"","pattern":"FOO","options":{"includePattern":"*.{ts,js}","caseSensitive":false}}`, "a.ts:1 a.ts:2 b.js:1 src/c.test.ts:1 src/c.ts:2 src/gen/d.ts:1"},
		{"grepSearch", `{"path":"DIR","pattern":"FOO"}`, ""},
		{"grepSearch", `{"path":"DIR","query":"FOO","includePattern":"*.js","caseSensitive":false}`, "b.js:1"},
		{"grepSearch", `{"path":"DIR/a.ts","pattern":"^let [Ff]oo$"}`, "a.ts:1 a.ts:2"},
		{"grepSearch", `{"path":"node_modules","pattern":"foo"}`, "node_modules/m/e.ts:1"},
		{"grepSearch", `{"path":"latin.txt","pattern":"foo"}`, "latin.txt:1"},
		{"searchFiles", `{"path":"DIR","regex":"foo\\(\\d\\)","filePattern":"*"}`, "src/c.ts:2"},
		{"searchFiles", `{"path":"DIR","regex":"foo","filePattern":"src/*.ts"}`, "src/c.test.ts:1 src/c.ts:2"},
		{"searchFiles", `{"path":"DIR","regex":"foo","filePattern":"DIR/src/gen/*"}`, "src/gen/d.ts:1"},
	} {
		m := d.did(c.action, c.message)
		if got := d.hits(m); got != c.want || m["hasMore"] != false || m["totalCount"] != float64(len(strings.Fields(c.want))) {
			t.Errorf("%s: %s (%v, %v), want %s", c.message, got, m["totalCount"], m["hasMore"], c.want)
		}
	}
	m := d.did("searchFiles", `{"path":"DIR/a.ts","regex":"Foo"}`)
	same(t, m, map[string]any{"query": "Foo", "path": d.path("a.ts")})
	if got := fmt.Sprint(m["results"]); !strings.Contains(got, "content:let Foo line:2") {
		t.Errorf("the result is %s", got)
	}
}

func TestASearchSaysWhatIsWrongWithItsPattern(t *testing.T) {
	d := newDesk(t)
	d.file("a", "a")
	for message, hint := range map[string]string{
		`{"path":"a","pattern":""}`:                                                                                  "missing",
		`{"path":"a","pattern":"("}`:                                                                                 "regular expression",
		`{"path":"a","pattern":"(?=x)"}`:                                                                             "look-around",
		`{"path":"a","pattern":"(x{900}){900}"}`:                                                                     "repeat",
		`{"path":"a","pattern":"` + strings.Repeat("(x{1000})", 50) + `"}`:                                           "repeat less",
		`{"path":"a","pattern":"x","options":{"includePattern":"[a"}}`:                                               "not closed",
		`{"path":"a","pattern":"x","options":{"excludePattern":"` + strings.Repeat("{a,b}", 30) + `"}}`:              "alternatives",
		`{"path":"a","pattern":"x","options":{"excludePattern":"` + strings.Repeat("a,", glob.MaxPatterns+1) + `"}}`: "more than",
	} {
		m := d.refused("grepSearch", message, wire.Invalid)
		if text, _ := m["error"].(string); !strings.Contains(text, hint) {
			t.Errorf("%.80s: %s", message, text)
		}
	}
	d.refused("grepSearch", `{"path":"absent","pattern":"x"}`, wire.NotFound)
}

func TestManyMatchesAreCut(t *testing.T) {
	d := newDesk(t)
	d.file("a", strings.Repeat("foo\n", maxMatches))
	m := d.did("grepSearch", `{"pattern":"foo"}`)
	same(t, m, map[string]any{"totalCount": float64(maxMatches), "hasMore": false})
	d.file("b", "foo\n")
	m = d.did("grepSearch", `{"pattern":"foo"}`)
	same(t, m, map[string]any{"totalCount": float64(maxMatches), "hasMore": true})
	d.file("long", strings.Repeat("é", 100_000)+"bar")
	m = d.did("grepSearch", `{"pattern":"bar"}`)
	content := m["results"].([]any)[0].(map[string]any)["matches"].([]any)[0].(map[string]any)["content"].(string)
	if want := strings.Repeat("é", maxLine/2) + "…"; content != want {
		t.Errorf("a long line has %d bytes: %q", len(content), content)
	}
}

func TestASearchEndsWithItsAgent(t *testing.T) {
	d := newDesk(t)
	ctx, end := context.WithCancel(t.Context())
	end()
	found, more := grepLines(ctx, []byte("foo\nfoo\n"), mustCompile(t, "foo"), 10)
	if len(found) != 0 || !more {
		t.Errorf("found %v, more %v", found, more)
	}
	d.file("a", "foo")
	files, _, err := d.caller.toSearch(t.Context(), ".")
	d.check(err)
	if err := d.caller.grep(ctx, files, mustCompile(t, "foo"), &matches{}); err == nil {
		t.Error("it goes on")
	}
}

func TestFilesAreFoundByName(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{
		"user.go", "src/user.go", "src/user_test.go", "src/users/list.go", "lib/unset.rb", "docs/a user guide.md",
		"node_modules/user.go", ".git/user.go", ".env", "src/Main.ts", "src/deep/er/x.ts",
	} {
		d.file(name, "")
	}
	for _, c := range []struct{ query, want string }{
		{"user.go", "user.go src/user.go src/user_test.go src/users/list.go"},
		{"USER", "user.go src/user.go src/user_test.go docs/a user guide.md src/users/list.go lib/unset.rb"},
		{"src/user.go", "src/user.go src/user_test.go src/users/list.go"},
		{"./src/user.go", "src/user.go src/user_test.go src/users/list.go"},
		{"DIR/src/user.go", "src/user.go src/user_test.go src/users/list.go"},
		{"smts", "src/Main.ts"},
		{"list", "src/users/list.go lib/unset.rb"},
		{"zzz", ""},
		{"*.ts", "src/deep/er/x.ts src/Main.ts"},
		{"**/*.ts", "src/deep/er/x.ts src/Main.ts"},
		{"src/*.ts", "src/Main.ts"},
		{"DIR/src/**/*.{ts,go}", "src/deep/er/x.ts src/Main.ts src/user_test.go src/user.go src/users/list.go"},
		{".e?v", ".env"},
		{"[xM]*.ts", "src/deep/er/x.ts src/Main.ts"},
	} {
		m := d.did("fuzzySearch", `{"query":"`+c.query+`"}`)
		got := d.text(m["results"])
		if got != c.want || m["hasMore"] != false {
			t.Errorf("%s: %s, want %s", c.query, got, c.want)
		}
		if m["query"] != d.real(c.query) {
			t.Errorf("the answer has the query %v", m["query"])
		}
	}
	d.refused("fuzzySearch", `{"query":"["}`, wire.Invalid)
	d.refused("fuzzySearch", `{"query":"`+strings.Repeat("x", glob.MaxPattern+1)+`"}`, wire.Invalid)
}

func TestManyFoundFilesAreCut(t *testing.T) {
	d := newDesk(t)
	for i := range maxGlobbed + 1 {
		d.check(os.WriteFile(d.path(fmt.Sprint("name", i)), nil, 0o644))
	}
	for query, want := range map[string]int{"name": maxFound, "name*": maxGlobbed} {
		m := d.did("fuzzySearch", `{"query":"`+query+`"}`)
		if n := len(m["results"].([]any)); n != want || m["hasMore"] != true || m["totalCount"] != float64(maxGlobbed+1) {
			t.Errorf("%s: %d results, totalCount %v, hasMore %v", query, n, m["totalCount"], m["hasMore"])
		}
	}
}

func TestTheWorstGlobAndPatternEndSoon(t *testing.T) {
	d := newDesk(t)
	d.file(strings.Repeat("a/", 50)+strings.Repeat("a", 200), strings.Repeat("x", maxSearched/64))
	start := time.Now()
	for _, glob := range []string{strings.Repeat("**/*a*", 150) + "b", strings.Repeat("{a,*}", 8) + strings.Repeat("*a", 100) + "b"} {
		if m := d.did("fuzzySearch", `{"query":"`+glob+`"}`); m["totalCount"] != 0.0 {
			t.Errorf("%s finds %v", glob, m["results"])
		}
		t.Log(time.Since(start))
	}
	d.did("grepSearch", `{"pattern":"(x*)*`+strings.Repeat("x{0,70}", 7)+`y"}`)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Log(took)
	}
}

func mustCompile(t *testing.T, pattern string) *regexp.Regexp {
	t.Helper()
	re, err := compile("search", pattern, true)
	if err != nil {
		t.Fatal(err)
	}
	return re
}
