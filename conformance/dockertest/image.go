package dockertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ImageRef is the name of the image of [Daemon.Image].
const ImageRef = "codebolt-test/busybox:1"

// rootLabel is the label with the digest of the root that an image was made of.
const rootLabel = "codebolt.dockertest.root"

// Image says what [Daemon.Import] makes an image of.
type Image struct {
	Ref   string // its name with its tag
	Files map[string]File
	// Changes are lines of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER,
	// VOLUME, WORKDIR.
	Changes []string
	// Platform is what it says to be for, as "linux/arm64"; the default is the
	// daemon's own.
	Platform string
}

// Import makes an image, in place of one that has its name. The caller removes it.
func (d *Daemon) Import(ctx context.Context, image Image) error {
	root, err := pack(image.Files)
	if err != nil {
		return err
	}
	return d.importRoot(ctx, image, root)
}

func (d *Daemon) importRoot(ctx context.Context, image Image, root []byte) error {
	repo, tag, err := split(image.Ref)
	if err != nil {
		return err
	}
	pairs := []string{"fromSrc", "-", "repo", repo, "tag", tag, "platform", image.Platform}
	for _, change := range image.Changes {
		pairs = append(pairs, "changes", change)
	}
	if err := d.removeImage(ctx, image.Ref, false); err != nil { // else it stays, without a name
		return err
	}
	if err := d.progress(ctx, "/images/create"+query(pairs...), root); err != nil {
		return err
	}
	return d.setPlatform(ctx, image)
}

func split(ref string) (repo, tag string, err error) {
	i := strings.LastIndexByte(ref, ':')
	if i < 1 || strings.ContainsAny(ref[i:], "/@") {
		return "", "", fmt.Errorf("dockertest: the image name %q has no tag; end it with one, as :1", ref)
	}
	return ref[:i], ref[i+1:], nil
}

// Busybox is [Daemon.Image] for a program without a test. It may be called
// repeatedly.
func (d *Daemon) Busybox(ctx context.Context) (string, error) {
	d.busybox.Lock()
	defer d.busybox.Unlock()
	if d.made {
		return ImageRef, nil
	}
	files, err := BusyboxRoot()
	if err != nil {
		return "", err
	}
	root, err := pack(files)
	if err != nil {
		return "", err
	}
	if d.cell == nil && d.claim == nil {
		if d.claim, err = claim(d.Host); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256(root)
	digest := hex.EncodeToString(sum[:])
	present, err := d.label(ctx, ImageRef, rootLabel)
	if err != nil {
		return "", err
	}
	if present != digest {
		changes := []string{`CMD ["/bin/sh"]`, "LABEL " + rootLabel + "=" + digest}
		if err := d.importRoot(ctx, Image{Ref: ImageRef, Changes: changes}, root); err != nil {
			return "", err
		}
	}
	d.made = true
	return ImageRef, nil
}

// disown ends the use of the image on a daemon that is not ours, and removes it
// when no other process uses it.
func (d *Daemon) disown() error {
	d.busybox.Lock()
	defer d.busybox.Unlock()
	if d.claim == nil {
		return nil
	}
	last := d.claim
	d.claim, d.made = nil, false
	return release(last, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return d.removeImage(ctx, ImageRef, false)
	})
}

// label gives a label of an image, "" when there is none or no such image.
func (d *Daemon) label(ctx context.Context, ref, label string) (string, error) {
	var image struct {
		Config struct{ Labels map[string]string }
	}
	err := d.Call(ctx, http.MethodGet, "/images/"+url.PathEscape(ref)+"/json", nil, &image)
	if missing(err) {
		return "", nil
	}
	return image.Config.Labels[label], err
}

// removeImage removes an image if it is there. Unless by force, one that a
// container uses stays, without an error.
func (d *Daemon) removeImage(ctx context.Context, ref string, force bool) error {
	path := "/images/" + url.PathEscape(ref)
	if force {
		path += "?force=1"
	}
	err := d.Call(ctx, http.MethodDelete, path, nil, nil)
	if missing(err) || !force && refused(err, http.StatusConflict) {
		return nil
	}
	return err
}
