package files

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

const (
	noIDs    = "it does not echo requestId, so that answers to requests under way together cannot be told apart"
	anyOrder = "it runs handlers concurrently, in no order"
)

// together sends requests at the same time and notes those that fail.
func together(t *suite.T, e *suite.Env, requests []suite.Message) {
	var senders sync.WaitGroup
	for _, m := range requests {
		senders.Go(func() {
			answer, err := e.TryAsk(m)
			if err != nil {
				t.Errorf("%s was not answered: %v", m.Type(), err)
			} else if problem := suite.Problem(answer); problem != "" {
				t.Errorf("%s of %q failed: %s", m.Type(), m.Text("path"), problem)
			}
		})
	}
	senders.Wait()
}

// answers sends requests without waiting and returns their answers in the order
// in which these came, of the action that is given.
func answers(e *suite.Env, action string, count int, requests []suite.Message) []suite.Message {
	from := e.Now()
	for _, m := range requests {
		e.Tell(m)
	}
	var got []suite.Message
	e.Await(from, suite.AnswerLimit, fmt.Sprintf("%d answers %s", count, action), func(m suite.Message) bool {
		if m.Text("action") == action {
			got = append(got, m)
		}
		return len(got) == count
	})
	return got
}

func ordering() []suite.Check {
	both := []suite.Capability{readFile, writeFile}
	return []suite.Check{
		{
			ID: "FS-060", Level: suite.Must, Needs: append([]suite.Capability{getTree}, both...),
			Title: "64 writes to 64 files at the same time all take effect",
			Why:   "An agent that writes a project writes many files at once.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				var (
					writes []suite.Message
					want   []string
				)
				for i := range 64 {
					name := fmt.Sprintf("file%02d.txt", i)
					want = append(want, name)
					writes = append(writes, write("area/deep/"+name, strings.Repeat(name, 500)))
				}
				together(t, e, writes)
				onlyHas(t, e, "area/deep", want...)
				for _, name := range want {
					holds(t, e, "area/deep/"+name, strings.Repeat(name, 500))
				}
			},
		},
		{
			ID: "FS-061", Level: suite.Must, Needs: append([]suite.Capability{getTree}, both...),
			Title: "Of 64 writes to one file at the same time one remains, whole",
			Why:   "Two saves that meet must not leave a mixture that nobody wrote.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				var writes []suite.Message
				content := map[string]bool{}
				for i := range 64 {
					text := strings.Repeat(string(rune('0'+i)), 1000*(i+1))
					content[text] = true
					writes = append(writes, write("area/shared.txt", text))
				}
				together(t, e, writes)
				text, _ := e.Result(read("area/shared.txt")).(string)
				if !content[text] {
					t.Errorf("the file has %d bytes that no one of the writes had", len(text))
				}
				onlyHas(t, e, "area", "shared.txt")
				if t.Can(suite.Disk) {
					lies(t, e.Path("area", "shared.txt"), text)
				}
			},
		},
		{
			ID: "FS-062", Level: suite.Must, Needs: both, NodeSDK: anyOrder,
			Title: "A read that is sent after a write to the same file sees it, without waiting for its answer",
			Why:   "Requests on one file take effect in the order in which they were sent, or a save is undone by the one before it.",
			Run: func(t *suite.T) {
				const rounds = 200
				e := t.Open(suite.Spec{})
				var requests []suite.Message
				for i := range rounds {
					text := strings.Repeat(strconv.Itoa(i)+" ", 1+i%7*1000)
					requests = append(requests, write("shared.txt", text), read("shared.txt"))
				}
				for i, answer := range answers(e, "providerReadFileResponse", rounds, requests) {
					if !t.Equal(fmt.Sprintf("read %d after write %d", i, i), answer["message"], requests[2*i]["content"]) {
						return
					}
				}
			},
		},
		{
			ID: "FS-063", Level: suite.Must, Needs: every, NodeSDK: anyOrder,
			Title: "Requests that concern a folder and what is in it take effect in the order in which they were sent",
			Why:   "A folder that is deleted, made again and filled in one go must be there and full in the end.",
			Run: func(t *suite.T) {
				const rounds = 50
				e := t.Open(suite.Spec{})
				var requests []suite.Message
				for i := range rounds {
					requests = append(
						requests, at(deleteFolder, "area"), at(createFolder, "area"), write("area/a/one.txt", strconv.Itoa(i)),
						rename("area/a", "area/b"), duplicate(copyFolder, "area/b", "area/c"), read("area/c/one.txt"),
					)
				}
				for i, answer := range answers(e, "providerReadFileResponse", rounds, requests) {
					if !t.Equal(fmt.Sprintf("the read of round %d", i), answer["message"], strconv.Itoa(i)) {
						return
					}
				}
				onlyHas(t, e, "area", "b", "c")
			},
		},
		{
			ID: "FS-064", Level: suite.Must, Needs: both, NodeSDK: noIDs,
			Title: "Answers to 200 reads under way together come in the order of the requests, each to its own",
			Why:   "A server that goes by the order of one action's answers would show each file under another's name.",
			Run: func(t *suite.T) {
				const reads = 200
				e := t.Open(suite.Spec{})
				content := map[string]string{}
				for i := range 10 {
					path := fmt.Sprintf("file%d.txt", i)
					content[path] = strings.Repeat(strconv.Itoa(i), 1+i%2*200_000) // each second one takes much longer
					do(e, write(path, content[path]))
				}
				var (
					requests []suite.Message
					want     []string
				)
				for i := range reads {
					id := fmt.Sprintf("read-%03d", i)
					want = append(want, id)
					requests = append(requests, read(fmt.Sprintf("file%d.txt", (i+1)%10)).With(suite.Message{"requestId": id}))
				}
				got := answers(e, "providerReadFileResponse", reads, requests)
				if !t.Equal("the order of the answers", members(got, "requestId"), want) {
					return
				}
				for i, answer := range got {
					path := requests[i].Text("path")
					same(t, fmt.Sprintf("the answer to read %d, of %s", i, path), answer["message"], content[path])
				}
			},
		},
	}
}
