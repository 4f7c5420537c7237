package main

import "strings"

// enveloped answers in an envelope what is to be answered flat.
func enveloped(name, check, verb string) defect {
	return defect{
		Name: name, Check: check, Doc: "answers " + verb + " as it answers everything else",
		Reply: reply(verb, func(_ *wrapper, _, m message) message {
			return m.with(message{"type": "remoteProviderEvent", "action": verb + "Response"})
		}),
	}
}

func pullRequestDefects() []defect {
	const verb = "providerSendPR"
	return []defect{
		{
			Name: "pushes-only-what-is-committed", Check: "DF-027", Also: []string{"DF-029", "DF-030", "DF-031"},
			Doc: "pushes HEAD, whatever else there is, and says that all is well",
			Request: request(verb, func(w *wrapper, m message) message {
				name, commit := "offered", strings.TrimSpace(git(w.root(), "rev-parse", "HEAD"))
				if _, err := ground().name(strings.TrimSpace(git(w.root(), "remote", "get-url", "origin"))); err != nil {
					return m
				}
				git(w.root(), "push", "--quiet", "--force", "origin", "HEAD:refs/heads/"+name)
				w.say(success(m, verb+"Response", map[string]any{"branch": name, "commit": commit}))
				return nil
			}),
		},
		enveloped("envelops-the-pull-request", "DF-028", "createPullRequestRequest"),
		{
			Name: "pushes-once", Check: "DF-029",
			Doc: "answers a second pull request with the first one",
			Request: request(verb, func(w *wrapper, m message) message {
				w.mu.Lock()
				sent, _ := w.state[verb].(message)
				w.mu.Unlock()
				if sent == nil {
					return m
				}
				w.say(sent.with(message{"requestId": m["requestId"]}))
				return nil
			}),
			Reply: reply(verb, func(w *wrapper, _, m message) message {
				if m.text("error") == "" {
					w.mu.Lock()
					w.state[verb] = m
					w.mu.Unlock()
				}
				return m
			}),
		},
		{
			Name: "sends-pull-requests-nowhere", Check: "DF-030",
			Doc: "has nothing to do where there is no remote, and says that it is done",
			Reply: reply(verb, func(w *wrapper, asked, m message) message {
				if m.text("error") == "" || w.root() == "" || git(w.root(), "remote") != "" {
					return m
				}
				return success(asked, verb+"Response", nil)
			}),
		},
		{
			Name: "does-not-look-at-the-push", Check: "DF-030",
			Doc: "says that all is well when git could not push",
			Reply: reply(verb, func(w *wrapper, asked, m message) message {
				if m.text("error") == "" || git(w.root(), "remote") == "" {
					return m
				}
				return success(asked, verb+"Response", map[string]any{"branch": branch(w), "commit": strings.TrimSpace(git(w.root(), "rev-parse", "HEAD"))})
			}),
		},
		{
			Name: "compares-with-what-was-pushed", Check: "DF-031",
			Doc: "has an empty diff after a pull request",
			Reply: func(w *wrapper, asked, m message) []message {
				w.mu.Lock()
				defer w.mu.Unlock()
				switch typ := asked.text("type"); {
				case typ == verb && m.text("error") == "":
					w.state[verb] = true
				case typ == "providerGetDiffFiles" && w.state[verb] != nil:
					return list(m.result(map[string]any(nothing())))
				}
				return list(m)
			},
		},
	}
}
