package gitrepo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// PRSpec says what pull request to open at GitHub.
type PRSpec struct {
	APIURL      string // default https://api.github.com; of a GitHub server, https://host/api/v3
	Token       string
	Owner, Repo string
	Head        string // branch; "owner:branch" when it is in a fork
	Base        string
	Title, Body string
}

// prTimeout bounds one request to the API.
const prTimeout = 30 * time.Second

// OpenPullRequest opens a pull request and returns its page and number; when
// there is an open one for the same branch already, that one. It fails with
// kind Permission when the token does not do, NotFound when the token sees no
// such repository, Invalid when GitHub says what is wrong with the request, and
// Unavailable when it cannot be reached. The token is in no error.
func OpenPullRequest(ctx context.Context, spec PRSpec) (page string, number int, err error) {
	page, number, err = openPullRequest(ctx, spec)
	if err != nil && spec.Token != "" && strings.Contains(err.Error(), spec.Token) {
		err = wire.Errorf(wire.CodeOf(err), "%s", strings.ReplaceAll(err.Error(), spec.Token, "…"))
	}
	if err != nil {
		return "", 0, fmt.Errorf("open pull request: %w", err)
	}
	return page, number, nil
}

type pullRequest struct {
	URL    string `json:"html_url"`
	Number int    `json:"number"`
}

func openPullRequest(ctx context.Context, spec PRSpec) (string, int, error) {
	if spec.Token == "" || spec.Owner == "" || spec.Repo == "" || spec.Head == "" || spec.Base == "" {
		return "", 0, wire.Errorf(wire.Invalid, "token, owner, repository, head and base are all needed")
	}
	api := strings.TrimRight(spec.APIURL, "/")
	if api == "" {
		api = "https://api.github.com"
	}
	pulls := api + "/repos/" + escapePath(spec.Owner) + "/" + url.PathEscape(spec.Repo) + "/pulls"
	body, err := json.Marshal(map[string]string{"title": spec.Title, "body": spec.Body, "head": spec.Head, "base": spec.Base})
	if err != nil {
		return "", 0, err
	}
	var made pullRequest
	err = github(ctx, spec.Token, http.MethodPost, pulls, body, &made)
	if err == nil {
		return made.URL, made.Number, nil
	}
	if wire.CodeOf(err) != wire.Invalid {
		return "", 0, err
	}
	// GitHub refuses a second one for a branch; the first is as good.
	head := spec.Head
	if !strings.Contains(head, ":") {
		head = spec.Owner + ":" + head
	}
	var found []pullRequest
	query := url.Values{"head": {head}, "base": {spec.Base}, "state": {"open"}}
	if ferr := github(ctx, spec.Token, http.MethodGet, pulls+"?"+query.Encode(), nil, &found); ferr != nil || len(found) == 0 {
		return "", 0, err
	}
	return found[0].URL, found[0].Number, nil
}

// github makes one request to the API.
func github(ctx context.Context, token, method, address string, body []byte, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, prTimeout, wire.Errorf(wire.Timeout, "GitHub took longer than %s", prTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return wire.Errorf(wire.Invalid, "%w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if code := wire.CodeOf(err); code == wire.Timeout {
			return wire.Errorf(code, "%w", err)
		}
		return wire.Errorf(wire.Unavailable, "%w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return wire.Errorf(wire.Unavailable, "%w", err)
	}
	if resp.StatusCode/100 == 2 {
		return json.Unmarshal(data, into)
	}
	var said struct {
		Message string `json:"message"`
		Errors  []struct {
			Message, Field, Code string
		} `json:"errors"`
	}
	_ = json.Unmarshal(data, &said) // a proxy may answer in HTML
	parts := []string{said.Message}
	for _, e := range said.Errors {
		if e.Message != "" {
			parts = append(parts, e.Message)
		} else if e.Field != "" {
			parts = append(parts, e.Field+" "+e.Code)
		}
	}
	text := strings.Join(parts, "; ")
	cause := errors.New(strings.TrimSpace(fmt.Sprintf("GitHub answers %d: %s", resp.StatusCode, text)))
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return wire.Errorf(wire.Permission, "the token is not accepted: %w", cause)
	case code == http.StatusForbidden && resp.Header.Get("X-RateLimit-Remaining") == "0", code == http.StatusTooManyRequests, code >= 500:
		return wire.Errorf(wire.Unavailable, "%w", cause)
	case code == http.StatusForbidden:
		return wire.Errorf(wire.Permission, "the token does not allow it: %w", cause)
	case code == http.StatusNotFound:
		return wire.Errorf(wire.NotFound, "there is no such repository, or the token does not see it: %w", cause)
	case code == http.StatusUnprocessableEntity:
		return wire.Errorf(wire.Invalid, "%w", cause)
	}
	return cause
}
