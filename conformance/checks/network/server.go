package network

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// reconnectLimit is how long a provider may take to be connected again after a
// break or two, and to answer.
const reconnectLimit = 30 * time.Second

// uptime is how long a line that flaps is up in between: longer than the first
// pause of a provider, which thereby need not take longer ones.
const uptime = 1100 * time.Millisecond

// behind makes an environment whose provider reaches the server through a proxy
// only.
func behind(t *suite.T, spec suite.Spec) (*suite.Env, *faultproxy.Proxy) {
	proxy, err := faultproxy.Listen(faultproxy.To(t.Server().Addr()))
	t.Try(err)
	// The environment is stopped through the proxy, which therefore outlives the
	// check's clean-up.
	context.AfterFunc(t.Context(), func() { _ = proxy.Close() }) // it always returns nil
	t.Cleanup(func() { t.Try(proxy.Heal()) })
	host, port, err := net.SplitHostPort(proxy.Addr())
	t.Try(err)
	spec.Env = append(spec.Env, "CODEBOLT_SERVER_URL="+host, "SOCKET_PORT="+port)
	return t.Env(spec), proxy
}

// openBehind is behind with the environment started.
func openBehind(t *suite.T, spec suite.Spec) (*suite.Env, *faultproxy.Proxy) {
	e, proxy := behind(t, spec)
	e.Start()
	return e, proxy
}

// reconnected waits until the provider has made a further connection than those
// before and can be asked.
func reconnected(t *suite.T, e *suite.Env, before int, d time.Duration) {
	t.Eventually(d, "the provider is connected again", func() bool {
		if err := e.Err(); err != nil {
			t.Fatalf("the provider did not connect again, but ended: %v", err)
		}
		return len(e.Connections()) > before && e.State() == server.Running
	})
}

// answers returns the messages since a point that carry a requestId.
func answers(e *suite.Env, from int, requestID string) []suite.Message {
	var found []suite.Message
	for _, f := range e.Heard(from, suite.Answering(requestID)) {
		found = append(found, f.Message())
	}
	return found
}

// result asks and returns the member "message" of the answer. Unlike that of Env
// it goes by the requestId alone: while answers to messages are under way that
// were only told, the emulated server would take one of those for the answer.
func result(t *suite.T, e *suite.Env, m suite.Message) any {
	if t.Profile() == suite.NodeCompat { // which echoes no ids
		return e.Result(m)
	}
	id, from := fmt.Sprintf("asked-%d", time.Now().UnixNano()), e.Now()
	e.Tell(m.With(suite.Message{"requestId": id}))
	answer := e.Await(from, suite.AnswerLimit, "an answer to "+m.Type(), suite.Answering(id))
	if problem := suite.Problem(answer); problem != "" {
		t.Fatalf("%s failed: %s", m.Type(), problem)
	}
	return answer["message"]
}

// alive asks something harmless, whose answer comes after those of earlier
// requests of its kind.
func alive(t *suite.T, e *suite.Env) {
	got := result(t, e, suite.Message{"type": "providerReadFile", "path": "README.md"})
	t.Equal("the content of README.md", got, suite.ProjectFiles["README.md"])
}

// text is a file's content of a size, which does not shrink on the way.
func text(size int) string {
	const line = "0123456789abcdef 0123456789ABCDEF 0123456789 the quick brown fox\n"
	return strings.Repeat(line, size/len(line)+1)[:size]
}

// write puts a file into the workspace.
func write(t *suite.T, e *suite.Env, path, content string) {
	result(t, e, suite.Message{"type": "providerWriteFile", "path": path, "content": content})
}
