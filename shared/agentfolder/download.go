package agentfolder

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/archive"
	"github.com/codeboltai/codebolt-providers/shared/wire"
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
	return f.unpacked(ctx, d.SHA256, func(ctx context.Context, to io.Writer) error {
		return archive.Fetch(ctx, from, to, archive.FetchOptions{
			Allow: f.o.Downloads.allow, MaxBytes: f.o.Downloads.MaxBytes, Client: f.o.Downloads.Client, Progress: f.progress(),
		})
	})
}

// allow sees that an archive may be fetched from an address.
func (d *Downloads) allow(from *url.URL) error {
	if err := archive.Secure(from); err != nil {
		return err
	}
	host := archive.Host(from)
	port := map[string]string{"https": "443", "http": "80"}[from.Scheme]
	withPort := net.JoinHostPort(host, cmp.Or(from.Port(), port))
	allowed := func(entry string) bool { return strings.EqualFold(entry, host) || strings.EqualFold(entry, withPort) }
	if !slices.ContainsFunc(d.Hosts, allowed) {
		return wire.Errorf(wire.Permission, "%s is not fetched: %q is not among the hosts that agents may come from", archive.Shown(from), from.Host)
	}
	return nil
}

// progress tells of a download.
func (f *finder) progress() func(got, total int64) {
	if f.o.Progress == nil {
		return nil
	}
	return func(got, total int64) {
		text := fmt.Sprintf("fetching the agent %s: %s", f.id, megabytes(got))
		if total >= 0 {
			text += " of " + megabytes(total)
		}
		f.o.Progress(text)
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
