package install

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// RegistryFile is the server's list of installed providers, beside the folder of them.
const RegistryFile = "installed-providers.json"

// registrar is what our records name as the one that wrote them.
const registrar = "codebolt-providers"

// Register enters an installed provider into the server's list, which is a list of
// objects, or an object that has one under "providers". All else in it stays as it is,
// also what others have added to a record of ours. It fails with Invalid when the file
// is something else, and with Conflict when another record has the provider's id.
func (f Folder) Register(ctx context.Context, m *manifest.Manifest) error {
	return f.registry(ctx, func(records []map[string]any) ([]map[string]any, error) {
		now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		fields := map[string]any{
			"id": m.UniqueID, "name": m.Name, "displayName": m.Name, "type": cmp.Or(m.ProviderType, "custom"), "description": m.Description,
			"author": m.Author, "version": m.Version, "tags": m.Tags, "updatedAt": now, "installedBy": registrar,
		}
		for _, record := range records {
			if record["id"] != m.UniqueID {
				continue
			}
			if record["installedBy"] != registrar {
				return nil, wire.Errorf(wire.Conflict, "%s has a record of %s that another program wrote; it is left as it is", RegistryFile, m.UniqueID)
			}
			for key, value := range fields {
				record[key] = value
			}
			return records, nil
		}
		fields["createdAt"] = now
		return append(records, fields), nil
	})
}

// Unregister takes out the record that Register wrote, if there is one.
func (f Folder) Unregister(ctx context.Context, uniqueID string) error {
	if _, err := os.Stat(f.registryPath()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return f.registry(ctx, func(records []map[string]any) ([]map[string]any, error) {
		for i, record := range records {
			if record["id"] == uniqueID && record["installedBy"] == registrar {
				return append(records[:i:i], records[i+1:]...), nil
			}
		}
		return records, nil
	})
}

func (f Folder) registryPath() string { return filepath.Join(filepath.Dir(f.dir), RegistryFile) }

// registry changes the server's list.
func (f Folder) registry(ctx context.Context, change func([]map[string]any) ([]map[string]any, error)) error {
	return f.locked(ctx, func(string) error {
		path := f.registryPath()
		mode := fs.FileMode(0o644)
		text, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			text = []byte("[]")
		case err != nil:
			return wire.Errorf(wire.CodeOf(err), "register: %w", err)
		default:
			info, err := os.Stat(path)
			if err != nil {
				return wire.Errorf(wire.CodeOf(err), "register: %w", err)
			}
			mode = info.Mode().Perm()
		}
		outer := map[string]any{}
		var records []map[string]any
		if err := decode(text, &records); err != nil {
			unlike := wire.Errorf(wire.Invalid, "%s is neither a list of providers nor an object with one; it is left as it is", path)
			if decode(text, &outer) != nil || outer["providers"] == nil {
				return unlike
			}
			list, err := json.Marshal(outer["providers"])
			if err != nil || decode(list, &records) != nil {
				return unlike
			}
		}
		if records, err = change(records); err != nil {
			return err
		}
		if records == nil {
			records = []map[string]any{}
		}
		var all any = records
		if len(outer) > 0 {
			outer["providers"] = records
			all = outer
		}
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(all); err != nil {
			return wire.Errorf(wire.Internal, "register: %w", err)
		}
		if err := resource.WriteFile(path, out.Bytes(), mode); err != nil {
			return wire.Errorf(wire.CodeOf(err), "register: %w", err)
		}
		return nil
	})
}

// decode keeps numbers as they are written.
func decode(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}
