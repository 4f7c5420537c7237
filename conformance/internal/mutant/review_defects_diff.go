package main

import "strings"

// file is a file of a diff.
type file = message

// diffs makes a Reply hook that changes the results of providerGetDiffFiles.
func diffs(change func(w *wrapper, result message) message) func(*wrapper, message, message) []message {
	return reply("providerGetDiffFiles", func(w *wrapper, _, m message) message {
		result := m.object("message")
		if result == nil {
			return m
		}
		return m.result(map[string]any(change(w, result)))
	})
}

// eachFile changes the files of each diff, and makes the rest of it anew.
func eachFile(change func(f file) file) func(*wrapper, message, message) []message {
	return diffs(func(_ *wrapper, result message) message {
		files := []any{}
		for _, f := range filesOf(result) {
			files = append(files, map[string]any(change(f)))
		}
		return made(result, files)
	})
}

func filesOf(result message) []file {
	items, _ := result["files"].([]any)
	files := make([]file, 0, len(items))
	for _, item := range items {
		f, _ := item.(map[string]any)
		files = append(files, f)
	}
	return files
}

// made is a diff of other files.
func made(result message, files []any) message {
	var raw strings.Builder
	added, deleted := 0.0, 0.0
	for _, item := range files {
		f, _ := item.(map[string]any)
		counts := file(f).object("changes")
		a, _ := counts["additions"].(float64)
		d, _ := counts["deletions"].(float64)
		added, deleted = added+a, deleted+d
		raw.WriteString(file(f).text("diff"))
	}
	return result.with(message{
		"files": files, "rawDiff": raw.String(),
		"summary": map[string]any{"totalFiles": len(files), "totalAdditions": added, "totalDeletions": deleted, "totalChanges": added + deleted},
	})
}

// keeping keeps the files for which what it makes of each diff is true.
func keeping(chosen func(w *wrapper) func(f file) bool) func(*wrapper, message, message) []message {
	return diffs(func(w *wrapper, result message) message {
		keep, files := chosen(w), []any{}
		for _, f := range filesOf(result) {
			if keep(f) {
				files = append(files, map[string]any(f))
			}
		}
		return made(result, files)
	})
}

// dropping leaves out files by what they are.
func dropping(drop func(f file) bool) func(*wrapper, message, message) []message {
	return keeping(func(*wrapper) func(file) bool { return func(f file) bool { return !drop(f) } })
}

// rawDiff changes the patch alone.
func rawDiff(change func(w *wrapper, raw string) string) func(*wrapper, message, message) []message {
	return diffs(func(w *wrapper, result message) message {
		return result.with(message{"rawDiff": change(w, result.text("rawDiff"))})
	})
}

// patch changes what providerMergeAsPatch gives.
func patch(change func(w *wrapper, patch string) string) func(*wrapper, message, message) []message {
	return reply("providerMergeAsPatch", func(w *wrapper, _, m message) message {
		if _, ok := m["message"].(string); !ok {
			return m
		}
		return m.result(change(w, m.text("message")))
	})
}

// written changes the part of the patch of each file.
func written(change func(diff string) string) func(*wrapper, message, message) []message {
	return eachFile(func(f file) file { return f.with(message{"diff": change(f.text("diff"))}) })
}

// counted gives a file other counts.
func counted(f file, added, deleted int) file {
	return f.with(message{"changes": map[string]any{"additions": float64(added), "deletions": float64(deleted), "changes": float64(added + deleted)}})
}

// nothing is the result when nothing was changed.
func nothing() message { return made(message{}, []any{}) }

// hushed makes a Reply hook that gives an empty result in the place of an error.
func hushed(when func(w *wrapper) bool) func(*wrapper, message, message) []message {
	return func(w *wrapper, request, m message) []message {
		verb := request.text("type")
		if m.text("error") == "" || !when(w) {
			return list(m)
		}
		switch verb {
		case "providerGetDiffFiles":
			return list(success(request, "providerDiffFilesResponse", map[string]any(nothing())))
		case "providerMergeAsPatch":
			return list(success(request, "providerMergeAsPatchResponse", ""))
		}
		return list(m)
	}
}

// git runs git in a folder of the check and returns what it printed, or "".
func git(dir string, args ...string) string { return ground().command(dir, "git", args...) }

// uncommitted are the files that git status tells of.
func uncommitted(w *wrapper) map[string]bool {
	paths := map[string]bool{}
	for entry := range strings.SplitSeq(git(w.root(), "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"), "\x00") {
		if len(entry) > 3 {
			paths[entry[3:]] = true
		}
	}
	return paths
}

// branch is the one that is checked out.
func branch(w *wrapper) string {
	return strings.TrimSpace(git(w.root(), "symbolic-ref", "--short", "HEAD"))
}
