package dockertest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// setPlatform sees to it that an imported image says to be for its platform.
// Before version 23 the daemon takes no architecture with an import; then the image
// is saved, changed and loaded again.
func (d *Daemon) setPlatform(ctx context.Context, image Image) error {
	if image.Platform == "" {
		return nil
	}
	system, architecture, _ := strings.Cut(image.Platform, "/")
	if strings.Contains(architecture, "/") || architecture == "" {
		return fmt.Errorf("dockertest: the platform %q is not of the form linux/arm64", image.Platform)
	}
	path := "/images/" + url.PathEscape(image.Ref)
	var imported struct{ ID, Os, Architecture string }
	if err := d.Call(ctx, http.MethodGet, path+"/json", nil, &imported); err != nil {
		return err
	}
	if imported.Os == system && imported.Architecture == architecture {
		return nil
	}
	var saved bytes.Buffer
	if err := d.Call(ctx, http.MethodGet, path+"/get", nil, &saved); err != nil {
		return err
	}
	changed, err := relabel(saved.Bytes(), system, architecture)
	if err != nil {
		return fmt.Errorf("dockertest: make %s an image for %s: %w", image.Ref, image.Platform, err)
	}
	if err := d.progress(ctx, "/images/load", changed); err != nil {
		return err
	}
	return d.Call(ctx, http.MethodDelete, "/images/"+imported.ID, nil, nil)
}

// relabel writes a platform into the configuration of a saved image.
func relabel(saved []byte, system, architecture string) ([]byte, error) {
	var manifest []struct{ Config string }
	if content, err := find(saved, "manifest.json"); err != nil {
		return nil, err
	} else if err := json.Unmarshal(content, &manifest); err != nil || len(manifest) != 1 {
		return nil, errors.Join(err, fmt.Errorf("the archive has %d images", len(manifest)))
	}
	content, err := find(saved, manifest[0].Config)
	if err != nil {
		return nil, err
	}
	var config map[string]any
	if err := json.Unmarshal(content, &config); err != nil {
		return nil, err
	}
	config["os"], config["architecture"] = system, architecture
	if content, err = json.Marshal(config); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err = each(saved, func(h *tar.Header, r io.Reader) error {
		if h.Name == manifest[0].Config {
			h.Size, r = int64(len(content)), bytes.NewReader(content)
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(w, r)
		return err
	})
	return out.Bytes(), errors.Join(err, w.Close())
}

func find(archive []byte, name string) (content []byte, err error) {
	found := false
	err = each(archive, func(h *tar.Header, r io.Reader) error {
		if h.Name != name {
			return nil
		}
		found = true
		content, err = io.ReadAll(r)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("the archive has no %s", name)
	}
	return content, err
}

func each(archive []byte, visit func(*tar.Header, io.Reader) error) error {
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(h, r); err != nil {
			return err
		}
	}
}
