//go:build linux

package engine_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// registry is a registry with one image, box:1, of two layers.
type registry struct {
	address  string // as the daemon reaches it
	digest   string // of the image
	blobs    map[string][]byte
	login    string // "user:password", when it demands one
	slow     time.Duration
	tampered bool
}

func newRegistry(t *testing.T, b *box) *registry {
	t.Helper()
	ln, err := b.daemon.Listen(t.Context())
	wantNil(t, err)
	r := &registry{address: ln.Addr().String(), blobs: map[string][]byte{}}
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Size      int    `json:"size"`
		Digest    string `json:"digest"`
	}
	blob := func(media string, data []byte) descriptor {
		sum := sha256.Sum256(data)
		digest := "sha256:" + hex.EncodeToString(sum[:])
		r.blobs[digest] = data
		return descriptor{media, len(data), digest}
	}
	const docker = "application/vnd.docker."
	var layers []descriptor
	var diffs []string
	for i := range 2 {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		content := []byte(rand.Text() + strings.Repeat(rand.Text(), 20000))
		wantNil(t, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("file%d", i), Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write(content)
		wantNil(t, err)
		wantNil(t, w.Close())
		layers = append(layers, blob(docker+"image.rootfs.diff.tar", buf.Bytes()))
		diffs = append(diffs, layers[i].Digest)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": b.Info().Arch, "os": "linux", "config": map[string]any{"Labels": b.labels, "Cmd": []string{"/x"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	wantNil(t, err)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": docker + "distribution.manifest.v2+json", "config": blob(docker+"container.image.v1+json", config), "layers": layers,
	})
	wantNil(t, err)
	r.digest = blob("", manifest).Digest
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close() })
	return r
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if user, password, _ := q.BasicAuth(); r.login != "" && user+":"+password != r.login {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		return
	}
	name := q.URL.Path[strings.LastIndex(q.URL.Path, "/")+1:]
	if name == "1" {
		name = r.digest
	}
	data, ok := r.blobs[name]
	switch {
	case q.URL.Path == "/v2/":
		return
	case !ok || !strings.HasPrefix(q.URL.Path, "/v2/box/"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
		return
	case strings.Contains(q.URL.Path, "/manifests/"):
		if r.tampered {
			data = append(bytes.Clone(data), ' ')
		}
		w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
		w.Header().Set("Docker-Content-Digest", r.digest)
	default:
		time.Sleep(r.slow)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	if q.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
}

func TestAnImageIsPulledWhenThePolicySaysSo(t *testing.T) {
	t.Parallel()
	b := open(t)
	r := newRegistry(t, b)
	r.slow = 700 * time.Millisecond
	ref := r.address + "/box:1"
	ctx := within(t, time.Minute)

	_, err := b.EnsureImage(ctx, ref, engine.PullNever, "", nil)
	want(t, err, wire.NotFound, "pull policy is never", "box:1")
	var lines []string
	var told []time.Time
	img, err := b.EnsureImage(ctx, ref, engine.PullMissing, "linux/"+b.Info().Arch, func(line string) {
		lines, told = append(lines, line), append(told, time.Now())
	})
	wantNil(t, err)
	if img.Arch != b.Info().Arch || img.OS != "linux" || img.Labels[mark] != b.labels[mark] || len(img.Digests) != 1 || img.Digests[0] != r.address+"/box@"+r.digest {
		t.Errorf("%+v", img)
	}
	text := strings.Join(lines, "\n")
	if !strings.Contains(text, "pulling "+ref) || !strings.Contains(text, "of 2 layers") {
		t.Errorf("progress %q", text)
	}
	for i := 1; i < len(told); i++ {
		if gap := told[i].Sub(told[i-1]); gap < 490*time.Millisecond {
			t.Errorf("two lines within %v", gap)
		}
	}
	r.login = "closed:now" // what is there is not asked for again
	again, err := b.EnsureImage(ctx, ref, "", "", func(line string) { t.Errorf("pulls: %s", line) })
	if err != nil || again.ID != img.ID {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = b.EnsureImage(ctx, img.ID, engine.PullAlways, "", nil)
	wantNil(t, err)
	_, err = b.EnsureImage(ctx, ref, engine.PullAlways, "", nil)
	want(t, err, wire.Permission, r.address, "docker login")
}

func TestADigestIsHonoured(t *testing.T) {
	t.Parallel()
	b := open(t)
	r := newRegistry(t, b)
	ref := r.address + "/box@" + r.digest
	r.tampered = true
	_, err := b.EnsureImage(within(t, time.Minute), ref, "", "", nil)
	if err == nil || wire.Retryable(err) || !strings.Contains(err.Error(), "not what was asked for") {
		t.Errorf("another image under the digest: %v", err)
	}
	r.tampered = false
	img, err := b.EnsureImage(within(t, time.Minute), ref, "", "", nil)
	wantNil(t, err)
	r.login = "closed:now"
	again, err := b.EnsureImage(within(t, time.Minute), ref, engine.PullAlways, "", nil) // it cannot have changed
	if err != nil || again.ID != img.ID {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestAPullThatFailsIsExplained(t *testing.T) {
	t.Parallel()
	b := open(t)
	r := newRegistry(t, b)
	pull := func(ref, platform string) error {
		_, err := b.EnsureImage(within(t, time.Minute), ref, "", platform, nil)
		return err
	}
	want(t, pull(r.address+"/box:2", ""), wire.NotFound, "no such image", r.address)
	want(t, pull(r.address+"/other:1", ""), wire.NotFound, r.address)
	err := pull("127.0.0.1:1/box:1", "")
	want(t, err, wire.Unavailable, "cannot reach the registry 127.0.0.1:1")
	if !wire.Retryable(err) {
		t.Error("not worth a retry")
	}
	want(t, pull("Box:1", ""), wire.Invalid, "name:tag")
	want(t, pull(r.address+"/box:1", "riscv"), wire.Invalid, "linux/amd64")
	want(t, pull("sha256:"+strings.Repeat("0", 64), ""), wire.NotFound, "no image with the id")
	want(t, pull(r.address+"/box:1", "linux/s390x"), wire.Unsupported, "s390x")
	_, err = b.EnsureImage(t.Context(), "box", "sometimes", "", nil)
	want(t, err, wire.Invalid, "pull policy")
}

func TestALoginOpensARegistry(t *testing.T) {
	t.Parallel()
	b := open(t)
	r := newRegistry(t, b)
	const secret = "s3cret-pass"
	r.login = "me:" + secret
	bin := t.TempDir()
	helper := func(name, script string) {
		wantNil(t, os.WriteFile(filepath.Join(bin, "docker-credential-"+name), []byte("#!/bin/sh\n"+script), 0o755)) //nolint:gosec // a program
	}
	helper("good", `read server || true; [ "$1 $server" = "get `+r.address+`" ] && echo '{"Username":"me","Secret":"`+secret+`"}'`)
	helper("bad", `echo '{"Secret":"`+secret+`'; echo `+secret+` >&2; exit 1`)
	helper("empty", `echo "credentials not found in native keychain"; exit 1`)

	for name, test := range map[string]struct {
		config string
		code   wire.Code
		say    string
	}{
		"in the file":             {`{"auths":{"` + r.address + `":{"auth":"bWU6czNjcmV0LXBhc3M="}}}`, "", ""},
		"in the file as a URL":    {`{"auths":{"http://` + r.address + `/v1/":{"username":"me","password":"` + secret + `"}}}`, "", ""},
		"of the store":            {`{"credsStore":"good"}`, "", ""},
		"of the helper":           {`{"credsStore":"bad","credHelpers":{"` + r.address + `":"good"}}`, "", ""},
		"a store without it":      {`{"credsStore":"empty"}`, wire.Permission, "docker login " + r.address},
		"none":                    {`{}`, wire.Permission, "docker login " + r.address},
		"a helper that fails":     {`{"credsStore":"bad"}`, wire.Permission, "docker-credential-bad failed"},
		"a helper that is absent": {`{"credsStore":"absent"}`, wire.Permission, "docker-credential-absent is not installed"},
		"a helper's path":         {`{"credsStore":"../good"}`, wire.Permission, "no name of a credential helper"},
		"a wrong one":             {`{"auths":{"` + r.address + `":{"username":"me","password":"` + secret + `x"}}}`, wire.Permission, r.address},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			wantNil(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(test.config), 0o600))
			e := connect(t, engine.Options{Host: b.daemon.Host, ConfigDir: dir, Getenv: func(name string) string {
				return map[string]string{"PATH": bin + ":/usr/bin:/bin"}[name]
			}})
			_, err := e.EnsureImage(within(t, time.Minute), r.address+"/box:1", engine.PullAlways, "", nil)
			if test.code == "" {
				wantNil(t, err)
				return
			}
			want(t, err, test.code, test.say)
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}
