package agentfolder

import (
	"context"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Options say where agents may lie and from where they may come. With the zero
// value no agent is found.
type Options struct {
	// Roots are the folders below which an agent's folder or archive on this
	// machine must lie, also after symbolic links. They are absolute; one that is
	// not there counts for nothing.
	Roots []string
	// Base is what a path that is not absolute begins at; without it there are none.
	Base string
	// Store is where archives are unpacked. It is made, for its owner alone, when it
	// is needed. Agents in it stay until somebody else removes them.
	Store string
	// Downloads allows archives to be fetched; without it nothing is.
	Downloads *Downloads
	// Progress is told of a download that takes more than a second, about once a
	// second, by one goroutine at a time. It may be nil.
	Progress func(text string)
}

// Downloads say from where archives may be fetched. They are fetched by https;
// by http only from this machine itself.
type Downloads struct {
	// Hosts are the names of the hosts that may be asked, also after a redirect, each
	// as "example.org" for any port or "example.org:8443". There are no patterns.
	Hosts []string
	// MaxBytes is how large an archive may be; the default is 256 MiB.
	MaxBytes int64
	// Client fetches; the default is one of the standard library. Its own rule for
	// redirects does not count. How long it may take is for the context to say.
	Client *http.Client
}

// Folder is where an agent is.
type Folder struct {
	ID  string // as which it runs
	Dir string // its folder: absolute, without symbolic links above it
	// Entry is the absolute path of the script that node runs, a file in Dir.
	Entry string
}

// The agent types of the protocol (selectedAgent.agentType). Those in a pair
// mean the same.
const (
	typeLocalPath   = "local-path"
	typeFolderPath  = "folderpath"
	typeLocalZip    = "local-zip"
	typeZipPath     = "zippath"
	typeServerZip   = "server-zip"
	typeURL         = "url"
	typeMarketplace = "marketplace"
)

// Types are the agent types that Find knows, marketplace with them, which it refuses.
var Types = []string{typeLocalPath, typeFolderPath, typeLocalZip, typeZipPath, typeServerZip, typeURL, typeMarketplace}

// Find finds the folder of the selected agent, and unpacks or fetches it first
// where its type says so. agentDetails is a string, the path or URL, or an object
// with "path" or "url" and, for archives, "sha256", which the archive must have.
//
// The same archive again, under the same id, is not unpacked again; one whose
// sha256 is given is not fetched again either. It may be called concurrently, by
// several processes with one Store.
//
// Kinds of error: Invalid for an id, details or an archive that are not what they
// should be; Permission for what Options do not allow; NotFound when there is no
// such folder, archive or entry script; Conflict when the archive is not the one
// that was meant; TooLarge; Unsupported for a type that is none of these;
// Unavailable and Timeout when a download fails. After an error nothing is left
// in the Store.
func Find(ctx context.Context, selected *wire.SelectedAgent, o Options) (Folder, error) {
	if selected == nil {
		return Folder{}, wire.Errorf(wire.Invalid, "find the agent: none is selected")
	}
	if err := checkID(selected.ID); err != nil && selected.AgentType != typeMarketplace {
		return Folder{}, err
	}
	f := finder{id: selected.ID, o: o}
	var (
		folder Folder
		err    error
	)
	switch selected.AgentType {
	case typeLocalPath, typeFolderPath:
		folder, err = f.localPath(selected.AgentDetails)
	case typeLocalZip, typeZipPath:
		folder, err = f.localZip(ctx, selected.AgentDetails)
	case typeServerZip, typeURL:
		folder, err = f.serverZip(ctx, selected.AgentDetails)
	case typeMarketplace:
		return Folder{}, wire.Errorf(wire.Unsupported,
			"find the agent: agents of type %q are not fetched, because no marketplace is known here; select the agent as %q with its folder, or as %q with the URL of its archive",
			typeMarketplace, typeLocalPath, typeServerZip)
	default:
		return Folder{}, wire.Errorf(wire.Unsupported, "find the agent: there are no agents of type %q; the types are %s",
			selected.AgentType, strings.Join(Types[:len(Types)-1], ", "))
	}
	if err != nil {
		return Folder{}, wire.Errorf(wire.CodeOf(err), "find the agent %s: %w", f.id, err)
	}
	return folder, nil
}

// finder finds one agent.
type finder struct {
	id string
	o  Options
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// checkID keeps ids to what is one plain file name everywhere: it becomes a part
// of a path.
func checkID(id string) error {
	if !idPattern.MatchString(id) || !filepath.IsLocal(id) {
		return wire.Errorf(wire.Invalid, "find the agent: the id %q is not one; it begins with a letter or digit, and up to 127 more, dots, dashes and underscores follow", id)
	}
	return nil
}

// details are selectedAgent.agentDetails.
type details struct {
	Path   string `json:"path,omitzero"`
	URL    string `json:"url,omitzero"`
	SHA256 string `json:"sha256,omitzero"`
}

// parse reads details whose string is the member that is wanted: "path" or "url".
func parse(raw wire.Raw, member string) (details, error) {
	var d details
	switch {
	case len(raw) == 0:
	case raw.Kind() == '"':
		var text string
		if err := wire.Unmarshal(raw, &text); err != nil {
			return d, wire.Errorf(wire.Invalid, "agentDetails: %w", err)
		}
		if member == "url" {
			d.URL = text
		} else {
			d.Path = text
		}
	case raw.Kind() == '{':
		if err := wire.Unmarshal(raw, &d); err != nil {
			return d, wire.Errorf(wire.Invalid, "agentDetails: %w", err)
		}
	default:
		return d, wire.Errorf(wire.Invalid, "agentDetails is neither a string nor an object with %q", member)
	}
	wanted, other := d.Path, d.URL
	if member == "url" {
		wanted, other = d.URL, d.Path
	}
	if wanted == "" || other != "" {
		return d, wire.Errorf(wire.Invalid, "agentDetails has to name the %s of the agent, and only that", member)
	}
	if strings.ContainsRune(wanted, 0) {
		return d, wire.Errorf(wire.Invalid, "agentDetails contains a NUL")
	}
	d.SHA256 = strings.ToLower(d.SHA256)
	if sum, err := hex.DecodeString(d.SHA256); d.SHA256 != "" && (err != nil || len(sum) != 32) {
		return d, wire.Errorf(wire.Invalid, "agentDetails.sha256 is not a SHA-256, which has 64 hexadecimal digits")
	}
	return d, nil
}

func (f *finder) localPath(raw wire.Raw) (Folder, error) {
	d, err := parse(raw, "path")
	if err != nil {
		return Folder{}, err
	}
	if d.SHA256 != "" {
		return Folder{}, wire.Errorf(wire.Invalid, "agentDetails.sha256 is for archives; a folder has none")
	}
	dir, err := f.allowed(d.Path)
	if err != nil {
		return Folder{}, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return Folder{}, wire.Errorf(wire.Invalid, "%s is not a folder; for an archive the type is %q", d.Path, typeLocalZip)
	}
	return f.in(dir, dir)
}

// in is the agent in a folder that has no symbolic links above it. Errors call
// the folder by the name that is given.
func (f *finder) in(dir, called string) (Folder, error) {
	script, err := entry(dir, called)
	if err != nil {
		return Folder{}, err
	}
	return Folder{ID: f.id, Dir: dir, Entry: script}, nil
}
