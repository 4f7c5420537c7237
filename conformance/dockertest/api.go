package dockertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An Error is what the daemon answers to a request it refuses.
type Error struct {
	Status  int // of HTTP
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (status %d)", e.Message, e.Status) }

// reach makes the client of a daemon. It connects nowhere yet.
func reach(host string) (*Daemon, error) {
	network, address, ok := strings.Cut(host, "://")
	if !ok || network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("dockertest: the address %q is neither unix:// nor tcp://", host)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &Daemon{Host: host, api: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}}}, nil
}

func (d *Daemon) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return d.Call(ctx, http.MethodGet, "/_ping", nil, nil)
}

// Call does one request of the Engine API, in the daemon's own version of it:
//
//	err := d.Call(ctx, "POST", "/containers/create?name=x", map[string]any{"Image": image}, &made)
//
// An in that is an [io.Reader] is sent as it is, any other but nil as JSON. The
// answer is written to an out that is an [io.Writer], and read as JSON into any
// other but nil. When the daemon refuses, the error is an [*Error].
func (d *Daemon) Call(ctx context.Context, method, path string, in, out any) error {
	body, kind, err := encode(in)
	if err != nil {
		return fmt.Errorf("dockertest: %s %s: %w", method, path, err)
	}
	// No version before the path: each daemon refuses some, too old ones or too new.
	request, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return fmt.Errorf("dockertest: %w", err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := d.api.Do(request)
	if err != nil {
		return fmt.Errorf("dockertest: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("dockertest: %s %s: %w", method, path, refusal(answer))
	}
	switch out := out.(type) {
	case nil:
		_, err = io.Copy(io.Discard, answer.Body)
	case io.Writer:
		_, err = io.Copy(out, answer.Body)
	default:
		err = json.NewDecoder(answer.Body).Decode(out)
	}
	if err != nil {
		return fmt.Errorf("dockertest: %s %s: read the answer: %w", method, path, err)
	}
	return nil
}

func encode(in any) (body io.Reader, kind string, err error) {
	switch in := in.(type) {
	case nil:
		return http.NoBody, "", nil
	case io.Reader:
		return in, "application/x-tar", nil
	}
	data, err := json.Marshal(in)
	return bytes.NewReader(data), "application/json", err
}

func refusal(answer *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	var told struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &told) != nil || told.Message == "" {
		told.Message = string(text)
	}
	return &Error{Status: answer.StatusCode, Message: told.Message}
}

// progress sends a tar to a request that answers with the messages of its
// progress, among them how it failed.
func (d *Daemon) progress(ctx context.Context, path string, tar []byte) error {
	var messages bytes.Buffer
	if err := d.Call(ctx, http.MethodPost, path, bytes.NewReader(tar), &messages); err != nil {
		return err
	}
	for decoder := json.NewDecoder(&messages); ; {
		var message struct {
			Error string `json:"error"`
		}
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("dockertest: POST %s: read the answer: %w", path, err)
		}
		if message.Error != "" {
			return fmt.Errorf("dockertest: POST %s: %s", path, message.Error)
		}
	}
}

// refused tells whether the daemon refused a request with this status.
func refused(err error, status int) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Status == status
}

// missing tells whether the daemon answered that it has no such thing.
func missing(err error) bool { return refused(err, http.StatusNotFound) }

// query makes the query of a path.
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Add(pairs[i], pairs[i+1])
		}
	}
	return "?" + values.Encode()
}
