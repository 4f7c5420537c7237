package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// progressEvery is how often a pull's progress is told.
const progressEvery = 500 * time.Millisecond

// pull pulls an image; the daemon shares its work when two do so at once.
func (e *Engine) pull(ctx context.Context, r ref, image, platform string, progress func(string)) error {
	login, loginErr := e.config.login(ctx, r.registry, e.getenv)
	auth := ""
	if login != nil {
		auth = login.header()
	}
	_, err := retry(ctx, e, "pull "+r.short, broken, func() (struct{}, error) {
		body, err := e.api.pull(ctx, image, platform, auth)
		if err != nil {
			return struct{}{}, e.pullError(r, err, loginErr)
		}
		defer body.Close()
		err = follow(body, "pulling "+r.short, progress)
		if _, refused := errors.AsType[refusal](err); refused {
			err = e.pullError(r, err, loginErr)
		}
		return struct{}{}, err
	})
	return err
}

// refusal is an error that the daemon reports within a pull.
type refusal string

func (r refusal) Error() string { return string(r) }

// layer is what is known of one layer of a pull.
type layer struct {
	done         bool
	have, expect int64
}

// follow reads a pull's reports to their end.
func follow(body io.Reader, title string, progress func(string)) error {
	var (
		decoder = json.NewDecoder(body)
		layers  = map[string]*layer{}
		last    time.Time
		told    string
	)
	for {
		var report struct {
			ID             string
			Status         string
			Error          string
			ProgressDetail struct{ Current, Total int64 }
		}
		if err := decoder.Decode(&report); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if report.Error != "" {
			return refusal(report.Error)
		}
		switch l := layers[report.ID]; {
		case report.Status == "Pulling fs layer":
			layers[report.ID] = &layer{}
		case report.Status == "Already exists":
			layers[report.ID] = &layer{done: true}
		case l == nil: // not of a layer
		case report.Status == "Downloading":
			l.have, l.expect = report.ProgressDetail.Current, report.ProgressDetail.Total
		case report.Status == "Download complete":
			l.have = l.expect
		case report.Status == "Pull complete":
			l.done, l.have = true, l.expect
		}
		if line := summary(title, layers); progress != nil && line != told && time.Since(last) >= progressEvery {
			last, told = time.Now(), line
			progress(line)
		}
	}
}

func summary(title string, layers map[string]*layer) string {
	if len(layers) == 0 {
		return title
	}
	var done int
	var have, expect int64
	for _, l := range layers {
		if l.done {
			done++
		}
		have, expect = have+l.have, expect+l.expect
	}
	line := fmt.Sprintf("%s: %d of %d layers", title, done, len(layers))
	if expect > 0 {
		line += fmt.Sprintf(", %.1f of %.1f MB", float64(have)/1e6, float64(expect)/1e6)
	}
	return line
}

// pullError gives the refusal of a pull its kind. Errors that it does not know,
// those of the connection to the daemon included, it returns as they are.
func (e *Engine) pullError(r ref, err, loginErr error) error {
	text := tidy(err.Error())
	cause := &said{text, err}
	lower := strings.ToLower(text)
	says := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(lower, part) {
				return true
			}
		}
		return false
	}
	_, reported := errors.AsType[refusal](err)
	login := fmt.Sprintf("run docker login %s as the user this runs as", r.registry)
	if loginErr != nil {
		login += fmt.Sprintf(" (its stored login could not be used: %v)", loginErr)
	}
	switch {
	case !reported && connectionFailed(err), ruleFor(text) != nil:
		return err
	case says("toomanyrequests", "too many requests", "rate limit"):
		return wire.Errorf(wire.Unavailable, "docker: pull %s: the registry %s allows no more pulls for now: %w; wait, or %s", r.short, r.registry, cause, login)
	case says("pull access denied", "repository does not exist"):
		return wire.Errorf(wire.NotFound, "docker: pull %s: the registry %s has no such image or demands a login: %w; correct the name, or %s", r.short, r.registry, cause, login)
	case says("unauthorized", "authentication required", "no basic auth credentials", "incorrect username or password", "denied", "forbidden"):
		return wire.Errorf(wire.Permission, "docker: pull %s: the registry %s refuses: %w; %s", r.short, r.registry, cause, login)
	case says("manifest unknown", "not found", "name unknown", "name invalid"):
		return wire.Errorf(wire.NotFound, "docker: pull %s: the registry %s has no such image: %w; correct its name or tag", r.short, r.registry, cause)
	case says("x509:", "server gave http response to https client"):
		return verdict(wire.Unavailable, true, "docker: pull %s: the daemon does not trust the registry %s: %w; give the daemon its certificate, or list it under insecure-registries", r.short, r.registry, cause)
	case says("no such host", "dial tcp", "i/o timeout", "timeout exceeded", "tls handshake timeout", "connection re", "unreachable",
		"request canceled while waiting for connection", "unexpected eof", "server misbehaving", "bad gateway", "service unavailable"):
		return wire.Errorf(wire.Unavailable, "docker: pull %s: the daemon cannot reach the registry %s: %w; see to its network, or load the image and set pullPolicy: never", r.short, r.registry, cause)
	case says("digest", "verification failed"):
		return verdict(wire.Unavailable, true, "docker: pull %s: what the registry %s sent is not what was asked for: %w; do not use this registry", r.short, r.registry, cause)
	case errdefs.IsNotFound(err):
		return wire.Errorf(wire.NotFound, "docker: pull %s: the registry %s has no such image: %w; correct its name or tag", r.short, r.registry, cause)
	case reported:
		return wire.Errorf(wire.Internal, "docker: pull %s: %w", r.short, cause)
	}
	return err
}
