package resource

import (
	"regexp"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ID names a resource for good: "<kind>:v1:<key>", such as
// "worktree:v1:4f1c09aa31b2c3d4". It is what setResourceId carries and
// providerStart gives back as resourceId. The zero ID names nothing.
type ID string

const idVersion = "v1"

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}:v1:[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// NewID makes an ID. Kind is lower-case letters, digits and hyphens; key is
// letters, digits, '.', '_' and '-'. Anything else is a programming error and
// panics.
func NewID(kind, key string) ID {
	id, err := ParseID(kind + ":" + idVersion + ":" + key)
	if err != nil {
		panic(err)
	}
	return id
}

// ParseID reads an ID that came from elsewhere. It fails with kind Invalid for
// anything that NewID would not make.
func ParseID(text string) (ID, error) {
	if !idPattern.MatchString(text) {
		return "", wire.Errorf(wire.Invalid, "resource: %.80q is no resource id of this version", text)
	}
	return ID(text), nil
}

// Kind is the first part, "" for the zero ID.
func (id ID) Kind() string {
	kind, _, _ := strings.Cut(string(id), ":")
	return kind
}

// Key is the last part, "" for the zero ID.
func (id ID) Key() string {
	return string(id)[strings.LastIndexByte(string(id), ':')+1:]
}
