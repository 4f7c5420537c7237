package resource

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAStoreHasOneOwnerByWhateverPathAndAnotherStoreAnother(t *testing.T) {
	t.Parallel()
	open := func(dir string) string {
		s, err := OpenStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s.Owner()
	}
	dir, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	owner := open(dir)
	if len(owner) != 16 || open(dir) != owner || open(link) != owner {
		t.Errorf("owners %q, %q, %q", owner, open(dir), open(link))
	}
	if other := open(t.TempDir()); other == owner {
		t.Errorf("two stores are both %q", owner)
	}
}
