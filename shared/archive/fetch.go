package archive

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// defaultMaxBytes is FetchOptions.MaxBytes by default.
	defaultMaxBytes = 256 << 20
	// maxRedirects is how often a download may be sent elsewhere.
	maxRedirects = 10
	// progressEvery is how long a download takes before and between words of it.
	progressEvery = time.Second
)

// Shown is a URL without what in it may be secret: its user and its query.
func Shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Secure refuses, with Permission, an address that is neither https nor on this
// machine, and with Invalid one without a host.
func Secure(from *url.URL) error {
	host := Host(from)
	if host == "" {
		return wire.Errorf(wire.Invalid, "the URL of the archive has no host; it begins with https://")
	}
	if ip := net.ParseIP(host); from.Scheme != "https" && (from.Scheme != "http" || host != "localhost" && !ip.IsLoopback()) {
		return wire.Errorf(wire.Permission, "%s is not fetched: archives are fetched by https", Shown(from))
	}
	return nil
}

// Host is the host of an address as it is compared: in small letters, without a
// port or a dot at its end.
func Host(from *url.URL) string { return strings.TrimSuffix(strings.ToLower(from.Hostname()), ".") }

// FetchOptions say what may be fetched.
type FetchOptions struct {
	// Allow is asked about the address, and about each that a server redirects to;
	// nil: [Secure].
	Allow func(*url.URL) error
	// MaxBytes is how large an archive may be; default 256 MiB.
	MaxBytes int64
	// Client is what fetches; nil: a client with Go's defaults. Its CheckRedirect
	// does not count.
	Client *http.Client
	// Progress is called each second, with how many bytes have come and how many
	// there will be, which is -1 when that is not known. nil: nobody is told.
	Progress func(got, total int64)
}

// Fetch writes what lies at an address to a file. It fails with TooLarge for too
// much, Permission for what is not allowed, NotFound, Unavailable and Timeout for
// what they say, and what to says. What has come before an error has been written.
func Fetch(ctx context.Context, from *url.URL, to io.Writer, o FetchOptions) error {
	limit := cmp.Or(o.MaxBytes, defaultMaxBytes)
	allow := o.Allow
	if allow == nil {
		allow = Secure
	}
	if err := allow(from); err != nil {
		return err
	}
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	client.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		if len(before) > maxRedirects {
			return wire.Errorf(wire.Unavailable, "there are more than %d redirects", maxRedirects)
		}
		next.Header.Del("Referer") // where it came from may have a key in its query
		return allow(next.URL)
	}
	got := &counter{to: to}
	got.total.Store(-1)
	stop := got.report(o.Progress)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), http.NoBody)
	if err != nil {
		return wire.Errorf(wire.Invalid, "fetch %s: it is not an address", Shown(from))
	}
	resp, err := client.Do(req)
	if err != nil {
		return fetchError(ctx, from, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return wire.Errorf(statusCode(resp.StatusCode), "fetch %s: the server answers %d %s", Shown(from), resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	tooLarge := wire.Errorf(wire.TooLarge, "fetch %s: the archive has more than %d bytes", Shown(from), limit)
	if resp.ContentLength > limit {
		return tooLarge
	}
	got.total.Store(resp.ContentLength)
	_, err = Copy(ctx, got, resp.Body, limit)
	var read ReadError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrMore):
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
	return wire.Errorf(code, "fetch %s: %w", Shown(from), err)
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
func (c *counter) report(tell func(got, total int64)) (stop func()) {
	if tell == nil {
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
				tell(c.n.Load(), c.total.Load())
			}
		}
	})
	return func() { close(done); wg.Wait() }
}
