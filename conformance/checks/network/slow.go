package network

import (
	"fmt"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

func slow() []suite.Check {
	return []suite.Check{
		{
			ID: "NT-001", Level: suite.Must, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"},
			Title:   "With a latency of 50 ms and jitter everything is answered, each action in order",
			Why:     "Servers match answers of one action by their order where ids are not echoed; a mixed-up pair shows one file under another's name.",
			NodeSDK: "it answers requests in no order and makes up ids of its own",
			Run: func(t *suite.T) {
				e, proxy := behind(t, suite.Spec{})
				proxy.Shape(faultproxy.Shape{Latency: 50 * time.Millisecond, Jitter: 30 * time.Millisecond})
				e.Start()
				const files = 30
				for i := range files {
					e.Tell(suite.Message{"type": "providerWriteFile", "requestId": fmt.Sprintf("w%d", i), "path": fmt.Sprintf("slow/%d.txt", i), "content": text(1 + 997*(files-i))})
				}
				from := e.Now()
				for i := range files {
					e.Tell(suite.Message{"type": "providerReadFile", "requestId": fmt.Sprintf("r%d", i), "path": fmt.Sprintf("slow/%d.txt", i)})
				}
				e.Await(from, suite.AnswerLimit, "the last of 30 answers", suite.Answering(fmt.Sprintf("r%d", files-1)))
				read := e.Heard(from, func(m suite.Message) bool { return m.Text("action") == "providerReadFileResponse" })
				if len(read) != files {
					t.Fatalf("%d answers to %d requests had come with the answer to the last of them", len(read), files)
				}
				for i := range read {
					m := read[i].Message()
					t.Equal(fmt.Sprintf("the requestId of answer %d", i), m["requestId"], fmt.Sprintf("r%d", i))
					t.Equal(fmt.Sprintf("the size of answer %d", i), len(m.Text("message")), 1+997*(files-i))
				}
			},
		},
		{
			ID: "NT-002", Level: suite.Must, When: suite.Waiting, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"},
			Title: "A file of 1 MiB arrives whole over a line of 64 KiB a second, on one connection",
			Why:   "A provider that gives up what takes long tries for ever and never succeeds on a slow line.",
			Limit: 90 * time.Second,
			Run: func(t *suite.T) {
				e, proxy := openBehind(t, suite.Spec{})
				content := text(1 << 20)
				write(t, e, "large.txt", content)
				before := len(e.Connections())
				proxy.Shape(faultproxy.Shape{Rate: 64 << 10})
				from := e.Now()
				e.Tell(suite.Message{"type": "providerReadFile", "requestId": "slow", "path": "large.txt"})
				t.Eventually(60*time.Second, "the file comes", func() bool {
					if n := len(e.Connections()) - before; n != 0 {
						t.Fatalf("the provider made %d further connections meanwhile", n)
					}
					return len(answers(e, from, "slow")) > 0
				})
				answer := answers(e, from, "slow")[0]
				if answer.Text("message") != content {
					t.Errorf("the file came with %d bytes and is not the one that was written; it has %d", len(answer.Text("message")), len(content))
				}
			},
		},
	}
}
