package agentfolder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// defaultMaxBytes is Downloads.MaxBytes by default.
	defaultMaxBytes = 256 << 20
	// maxRedirects is how often a download may be sent elsewhere.
	maxRedirects = 10
	// progressEvery is how long a download takes before and between words of it.
	progressEvery = time.Second
)

// serverZip fetches an archive and unpacks it.
func (f *finder) serverZip(ctx context.Context, raw wire.Raw) (Folder, error) {
	d, err := parse(raw, "url")
	if err != nil {
		return Folder{}, err
	}
	if f.o.Downloads == nil {
		return Folder{}, wire.Errorf(wire.Permission, "nothing is fetched here, because no hosts are allowed that agents may come from")
	}
	from, err := url.Parse(d.URL)
	if err != nil {
		// The error has the text in it, and that may have a password.
		return Folder{}, wire.Errorf(wire.Invalid, "agentDetails is not a URL")
	}
	if err := f.o.Downloads.allow(from); err != nil {
		return Folder{}, err
	}
	return f.unpacked(ctx, d.SHA256, func(ctx context.Context, to io.Writer) error { return f.download(ctx, from, to) })
}

// allow sees that an archive may be fetched from an address.
func (d *Downloads) allow(from *url.URL) error {
	host := strings.TrimSuffix(strings.ToLower(from.Hostname()), ".")
	if host == "" {
		return wire.Errorf(wire.Invalid, "the URL of the archive has no host; it begins with https://")
	}
	if ip := net.ParseIP(host); from.Scheme != "https" && (from.Scheme != "http" || host != "localhost" && !ip.IsLoopback()) {
		return wire.Errorf(wire.Permission, "%s is not fetched: archives are fetched by https", shown(from))
	}
	port := map[string]string{"https": "443", "http": "80"}[from.Scheme]
	withPort := net.JoinHostPort(host, cmp.Or(from.Port(), port))
	allowed := func(entry string) bool { return strings.EqualFold(entry, host) || strings.EqualFold(entry, withPort) }
	if !slices.ContainsFunc(d.Hosts, allowed) {
		return wire.Errorf(wire.Permission, "%s is not fetched: %q is not among the hosts that agents may come from", shown(from), from.Host)
	}
	return nil
}

// shown is a URL without what in it may be secret.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// download writes an archive to a file.
func (f *finder) download(ctx context.Context, from *url.URL, to io.Writer) error {
	d := f.o.Downloads
	limit := cmp.Or(d.MaxBytes, defaultMaxBytes)
	client := http.Client{}
	if d.Client != nil {
		client = *d.Client
	}
	client.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		if len(before) > maxRedirects {
			return wire.Errorf(wire.Unavailable, "there are more than %d redirects", maxRedirects)
		}
		next.Header.Del("Referer") // where it came from may have a key in its query
		return d.allow(next.URL)
	}
	got := &counter{to: to}
	got.total.Store(-1)
	stop := f.report(got)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), http.NoBody)
	if err != nil {
		return wire.Errorf(wire.Invalid, "agentDetails is not a URL")
	}
	resp, err := client.Do(req)
	if err != nil {
		return fetchError(ctx, from, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return wire.Errorf(statusCode(resp.StatusCode), "fetch %s: the server answers %d %s", shown(from), resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	tooLarge := wire.Errorf(wire.TooLarge, "fetch %s: the archive has more than %d bytes", shown(from), limit)
	if resp.ContentLength > limit {
		return tooLarge
	}
	got.total.Store(resp.ContentLength)
	_, err = carry(ctx, got, resp.Body, limit)
	var read readError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errMore):
		return tooLarge
	case errors.As(err, &read), ctx.Err() != nil:
		return fetchError(ctx, from, err)
	default:
		return wire.Errorf(wire.CodeOf(err), "keep the archive: %w", err)
	}
}

// fetchError tells why a download failed, without the secrets of its URL.
func fetchError(ctx context.Context, from *url.URL, err error) error {
	var (
		known *wire.Error
		outer *url.Error
		slow  net.Error
	)
	if errors.As(err, &known) {
		return known // of a redirect; it names the address itself
	}
	if errors.As(err, &outer) {
		err = outer.Err // the outer one has the whole URL
	}
	code := wire.Unavailable
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
		code = wire.CodeOf(err)
	case errors.As(err, &slow) && slow.Timeout():
		code = wire.Timeout
	case strings.Contains(err.Error(), "Location"):
		err = errors.New("the server redirects to something that is not a URL") // which may have secrets too
	}
	return wire.Errorf(code, "fetch %s: %w", shown(from), err)
}

func statusCode(status int) wire.Code {
	switch {
	case status == http.StatusNotFound, status == http.StatusGone:
		return wire.NotFound
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return wire.Permission
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return wire.Unavailable
	default:
		return wire.Invalid
	}
}

// counter counts what is written through it.
type counter struct {
	to    io.Writer
	n     atomic.Int64
	total atomic.Int64 // what there will be; -1 when that is not known
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// report tells of a download until stop is called, which waits for the last word.
func (f *finder) report(got *counter) (stop func()) {
	if f.o.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				text := fmt.Sprintf("fetching the agent %s: %s", f.id, megabytes(got.n.Load()))
				if total := got.total.Load(); total >= 0 {
					text += " of " + megabytes(total)
				}
				f.o.Progress(text)
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
