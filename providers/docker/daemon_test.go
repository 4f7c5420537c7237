//go:build linux

package main

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// owner is the value of labelOwner of this stage's environments.
func (s *play) owner() string {
	s.T.Helper()
	store, err := resource.OpenStore(s.State)
	if err != nil {
		s.T.Fatal(err)
	}
	return store.Owner()
}

// inspected is what of a container's description the tests look at.
type inspected struct {
	ID     string `json:"Id"`
	Name   string
	Config struct {
		Env    []string
		Cmd    []string
		Labels map[string]string
		User   string
	}
	HostConfig struct {
		CapAdd, CapDrop, SecurityOpt []string
		Init, Privileged             bool
		PidsLimit, Memory, NanoCpus  int64
		NetworkMode                  string
		AutoRemove                   bool
		RestartPolicy                struct{ Name string }
		LogConfig                    struct{ Config map[string]string }
	}
}

// containers describes this stage's containers, in any state.
func (s *play) containers() (all []inspected) {
	s.T.Helper()
	for _, what := range s.own() {
		if name, ok := strings.CutPrefix(what, "container "); ok {
			var c inspected
			if err := s.daemon.Call(stage.Limit(s.T), http.MethodGet, "/containers/"+name+"/json", nil, &c); err != nil {
				s.T.Fatal(err)
			}
			all = append(all, c)
		}
	}
	return all
}

// act makes one request on every container of this stage.
func (s *play) act(method, suffix string, query url.Values) (n int) {
	s.T.Helper()
	for _, c := range s.containers() {
		path := "/containers/" + c.ID + suffix
		if len(query) > 0 {
			path += "?" + query.Encode()
		}
		if err := s.daemon.Call(stage.Limit(s.T), method, path, nil, nil); err != nil {
			s.T.Logf("%s %s: %v", method, path, err) // it may be gone already
			continue
		}
		n++
	}
	return n
}

func (s *play) removeContainers() {
	s.T.Helper()
	s.act(http.MethodDelete, "", url.Values{"force": {"1"}})
}

func (s *play) killContainers() int {
	s.T.Helper()
	return s.act(http.MethodPost, "/kill", nil)
}
