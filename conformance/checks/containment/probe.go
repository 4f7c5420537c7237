package containment

import (
	"fmt"
	"sync/atomic"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// probe is one thing a request can do to a path.
type probe struct {
	what string
	verb suite.Capability
	// ask is the request that does it to a path.
	ask func(path string) suite.Message
	// targets are the names in a canary's folder that it would work on.
	targets []string
}

// The messages of the probes. What they take along from the workspace is of
// every project.
var (
	toRead  = probe{"read", "providerReadFile", one("providerReadFile"), []string{"secret.txt", "folder/inner.txt", "link"}}
	toWrite = probe{"write", "providerWriteFile", func(path string) suite.Message {
		return suite.Message{"type": "providerWriteFile", "path": path, "content": "overwritten"}
	}, []string{"secret.txt", "new.txt", "new/deep.txt"}}
	toDeleteFile   = probe{"delete", "providerDeleteFile", one("providerDeleteFile"), []string{"secret.txt", "link"}}
	toDeleteFolder = probe{"delete the folder", "providerDeleteFolder", one("providerDeleteFolder"), []string{"folder", "."}}
	toMoveAway     = probe{"move away", "providerRenameItem", func(path string) suite.Message {
		return suite.Message{"type": "providerRenameItem", "oldPath": path, "newPath": fresh("moved")}
	}, []string{"secret.txt", "folder"}}
	toMoveTo = probe{"move to", "providerRenameItem", func(path string) suite.Message {
		return suite.Message{"type": "providerRenameItem", "oldPath": "README.md", "newPath": path}
	}, []string{"new.txt", "secret.txt", "new/deep.txt"}}
	toCreateFolder = probe{"create the folder", "providerCreateFolder", one("providerCreateFolder"), []string{"new", "new/deep"}}
	toCopyFrom     = probe{"copy from", "providerCopyFile", func(path string) suite.Message {
		return suite.Message{"type": "providerCopyFile", "sourcePath": path, "destinationPath": fresh("copied")}
	}, []string{"secret.txt", "link"}}
	toCopyTo = probe{"copy to", "providerCopyFile", func(path string) suite.Message {
		return suite.Message{"type": "providerCopyFile", "sourcePath": "README.md", "destinationPath": path}
	}, []string{"new.txt", "secret.txt", "new/deep.txt"}}
	toCopyFolderFrom = probe{"copy the folder", "providerCopyFolder", func(path string) suite.Message {
		return suite.Message{"type": "providerCopyFolder", "sourcePath": path, "destinationPath": fresh("copies")}
	}, []string{"folder", "."}}
	toCopyFolderTo = probe{"copy a folder to", "providerCopyFolder", func(path string) suite.Message {
		return suite.Message{"type": "providerCopyFolder", "sourcePath": "src/lib", "destinationPath": path}
	}, []string{"new", "new/deep"}}
	toList = probe{"list", "providerGetTreeChildren", one("providerGetTreeChildren"), []string{".", "folder"}}

	reading  = []probe{toRead, toList, toCopyFrom, toCopyFolderFrom}
	making   = []probe{toWrite, toCreateFolder, toMoveTo, toCopyTo, toCopyFolderTo}
	removing = []probe{toDeleteFile, toDeleteFolder, toMoveAway}
)

func one(verb string) func(string) suite.Message {
	return func(path string) suite.Message { return suite.Message{"type": verb, "path": path} }
}

var freshNames atomic.Int64

// fresh is a name that nothing has yet.
func fresh(name string) string { return fmt.Sprintf("%s-%d", name, freshNames.Add(1)) }

// try does each of the probes that the provider can to the paths that at makes
// of their targets, and notes those that are not refused. An empty list for a
// folder outside is a refusal too: that is what is answered for what is absent.
func try(t *suite.T, e *suite.Env, probes []probe, at func(target string) []string, codes ...string) {
	for _, p := range probes {
		if !t.Can(p.verb) {
			continue
		}
		for _, target := range p.targets {
			for _, path := range at(target) {
				refused(t, e, p, path, codes...)
			}
		}
	}
}

func refused(t *suite.T, e *suite.Env, p probe, path string, codes ...string) {
	if p.verb != toList.verb {
		e.Refused(p.ask(path), codes...)
		return
	}
	answer := e.Ask(p.ask(path))
	if entries, ok := answer["message"].([]any); suite.Problem(answer) == "" && (!ok || len(entries) > 0) {
		t.Errorf("listing %q gave %v in place of an error or an empty list", path, answer["message"])
	}
}
