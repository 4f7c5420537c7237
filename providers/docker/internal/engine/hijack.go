package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/containerd/errdefs/pkg/errhttp"
)

// hijack posts to the daemon and takes the connection over: what follows is the
// stream of a command. ctx bounds the opening only. It is here and not the client
// library's because that neither heeds ctx nor tells why the daemon refuses.
func (e *Engine) hijack(ctx context.Context, path string, body any) (net.Conn, *bufio.Reader, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, nil, err
	}
	conn, err := e.place.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok { // a silent command can be quiet for long
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}) // else the system's
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	reader, err := upgrade(conn, e.base()+path, data)
	if !stop() { // ctx ended, and the connection with it
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, reader, nil
}

// base is what the paths of the API begin with.
func (e *Engine) base() string {
	prefix := ""
	if e.place.url.Scheme == "tcp" {
		prefix = strings.TrimSuffix(e.place.url.Path, "/")
	}
	return prefix + "/v" + e.api.version()
}

func upgrade(conn net.Conn, path string, body []byte) (*bufio.Reader, error) {
	req, err := http.NewRequest(http.MethodPost, "http://docker"+path, bytes.NewReader(body)) //nolint:noctx // the connection is closed when ctx ends
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "tcp")
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReaderSize(conn, 32<<10)
	resp, err := http.ReadResponse(reader, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return reader, nil // the body is the connection
	}
	defer resp.Body.Close()
	var refused struct{ Message string }
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, &refused) != nil || refused.Message == "" {
		refused.Message = fmt.Sprintf("the daemon answered with status %d", resp.StatusCode)
	}
	return nil, &statusError{refused.Message, errhttp.ToNative(resp.StatusCode)}
}

// statusError is a refusal of the daemon, with the meaning of its status.
type statusError struct {
	text string
	kind error
}

func (e *statusError) Error() string { return e.text }
func (e *statusError) Unwrap() error { return e.kind }
