package engine

import (
	"context"
	"strings"

	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// PullPolicy says when an image is pulled.
type PullPolicy string

// The pull policies; "" is PullMissing.
const (
	PullMissing PullPolicy = "missing" // when it is not there
	PullAlways  PullPolicy = "always"  // each time, to see whether it has changed
	PullNever   PullPolicy = "never"
)

// Image is an image at the daemon.
type Image struct {
	ID      string
	Ref     string // as it was asked for
	Digests []string
	OS      string
	Arch    string // in Go's names
	// What its containers are by default.
	User, WorkDir   string
	Env             []string
	Entrypoint, Cmd []string
	Labels          map[string]string
	Size            int64 // bytes

	variant string
}

// fits reports whether the image is for the platform, as far as both say.
func (i *Image) fits(p *ocispec.Platform) bool {
	return p == nil || i.OS == p.OS && i.Arch == p.Architecture && (p.Variant == "" || i.variant == "" || p.Variant == i.variant)
}

func (i *Image) platform() string {
	return strings.TrimSuffix(i.OS+"/"+i.Arch+"/"+i.variant, "/")
}

// ref is a reference to an image: a name, or an id of one that is local.
type ref struct {
	named    reference.Named // nil for an id
	digested bool
	registry string
	short    string // as people write it
}

func parseRef(text string) (ref, error) {
	parsed, err := reference.ParseAnyReference(text)
	if err != nil {
		return ref{}, wire.Errorf(wire.Invalid, "docker: %q is no reference to an image: %w; write it as name:tag or name@sha256:digest", text, err)
	}
	r := ref{short: text}
	if name, ok := parsed.(reference.Named); ok {
		_, r.digested = name.(reference.Digested)
		r.named, r.registry, r.short = name, reference.Domain(name), reference.FamiliarString(reference.TagNameOnly(name))
	}
	return r, nil
}

// EnsureImage sees to it that the image is at the daemon, by the policy. platform
// is os/arch[/variant]; "" is the daemon's choice. progress, when it is not nil,
// gets a line about a pull at most twice a second. An id, and a name with a digest
// that is present, is never pulled; what a digest names, the daemon verifies.
//
// It fails with kind NotFound when the image is missing, here or at its registry,
// Permission when the registry refuses, Unavailable when the registry cannot be
// reached or the disk is full (not retryable), and Unsupported when the image is
// not for the platform.
func (e *Engine) EnsureImage(ctx context.Context, image string, policy PullPolicy, platform string, progress func(string)) (Image, error) {
	r, err := parseRef(image)
	if err != nil {
		return Image{}, err
	}
	p, err := parsePlatform(platform)
	if err != nil {
		return Image{}, err
	}
	switch policy {
	case "", PullMissing, PullAlways, PullNever:
	default:
		return Image{}, wire.Errorf(wire.Invalid, "docker: %q is no pull policy; use missing, always or never", policy)
	}
	if policy != PullAlways || r.named == nil || r.digested {
		img, err := e.Image(ctx, image)
		switch fits := img.fits(p); {
		case err == nil && fits:
			return img, nil
		case err != nil && wire.CodeOf(err) != wire.NotFound:
			return Image{}, err
		case err == nil && (policy == PullNever || r.named == nil):
			return Image{}, wire.Errorf(wire.Unsupported, "docker: image %s is for %s, not %s; pull the right one or set pullPolicy: missing", r.short, img.platform(), platform)
		case policy == PullNever:
			return Image{}, wire.Errorf(wire.NotFound, "docker: image %s is not present and pull policy is never; pull it or set pullPolicy: missing", r.short)
		case r.named == nil:
			return Image{}, wire.Errorf(wire.NotFound, "docker: there is no image with the id %s; name one that can be pulled", image)
		}
	}
	if err := e.pull(ctx, r, image, platform, progress); err != nil {
		return Image{}, err
	}
	img, err := e.Image(ctx, image)
	if err == nil && !img.fits(p) {
		err = wire.Errorf(wire.Unsupported, "docker: image %s is for %s, and there is none for %s; choose another image or platform", r.short, img.platform(), platform)
	}
	return img, err
}

// Image looks at a local image by a reference or id; NotFound when there is none.
func (e *Engine) Image(ctx context.Context, image string) (Image, error) {
	if _, err := parseRef(image); err != nil {
		return Image{}, err
	}
	return retry(ctx, e, "look at image "+image, broken, func() (Image, error) { return e.api.image(ctx, image) })
}

// Images lists the local images that have all of the labels; the value "" stands
// for any.
func (e *Engine) Images(ctx context.Context, labels map[string]string) ([]Image, error) {
	ids, err := retry(ctx, e, "list images", broken, func() ([]string, error) { return e.api.imageIDs(ctx, labels) })
	if err != nil {
		return nil, err
	}
	return each(ids, func(id string) (Image, error) { return e.Image(ctx, id) })
}

// RemoveImage removes an image, or one of several names of it. That there is none
// is no error; Conflict when a container uses it, or an id has several names.
func (e *Engine) RemoveImage(ctx context.Context, image string) error {
	if _, err := parseRef(image); err != nil {
		return err
	}
	return e.do(ctx, "remove image "+image, broken, func() error { return gone(e.api.removeImage(ctx, image)) })
}
