package main

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
)

// renames makes a Reply hook that gives answers to some types of request, or of
// those only the errors, an id of their own.
func renames(onlyErrors bool, types ...string) func(*wrapper, message, message) []message {
	return func(_ *wrapper, request, m message) []message {
		if !slices.Contains(types, request.text("type")) || onlyErrors && m["error"] == nil {
			return list(m)
		}
		return list(m.with(message{"requestId": rand.Text()}))
	}
}

var fileVerbs = []string{
	"providerReadFile", "providerWriteFile", "providerDeleteFile", "providerDeleteFolder", "providerRenameItem", "providerCreateFolder",
	"providerCopyFile", "providerCopyFolder", "providerGetTreeChildren", "providerGetFullProject",
}

// badIDs are answers that do not find their request.
func badIDs() []defect {
	return []defect{
		{
			Name: "renames-lifecycle-answers", Check: "PR-040", Reply: renames(false, "providerStart", "providerStop", "environmentRestartRequest", "closeSignal"),
			Doc: "gives the answers to lifecycle requests ids of their own, as the Node SDK does",
		},
		{
			Name: "renames-errors", Check: "PR-041", Reply: renames(true, fileVerbs...),
			Doc: "loses the id of a file request on the way that an error takes",
		},
		{
			Name: "renames-reviews", Check: "PR-042",
			Reply: renames(false, "providerGetDiffFiles", "providerMergeAsPatch", "createPatchRequest", "providerSendPR", "createPullRequestRequest"),
			Doc:   "gives the answers to requests for a review ids of their own",
		},
		{
			Name: "renames-its-health", Check: "PR-043", Reply: renames(false, "environmentHeartbeat"),
			Doc: "gives the answer to environmentHeartbeat an id of its own, as it does with its own beats",
		},
		{
			Name: "takes-ids-that-are-strings", Check: "PR-044",
			Doc: "drops a request whose id does not decode to a string",
			Request: func(_ *wrapper, m message) []message {
				if id, is := m["requestId"]; is {
					if _, text := id.(string); !text {
						return nil
					}
				}
				return list(m)
			},
		},
		{
			Name: "answers-twice", Check: "PR-045",
			Doc: "has two handlers for providerGetTreeChildren that both answer",
			Reply: func(_ *wrapper, request, m message) []message {
				if request.text("type") == "providerGetTreeChildren" {
					return []message{m, m}
				}
				return list(m)
			},
		},
	}
}

// badEnvelopes are answers that a server does not find.
func badEnvelopes() []defect {
	return []defect{
		{
			Name: "answers-folders-flat", Check: "PR-046", Also: []string{"FS-002"},
			Doc: "answers providerCreateFolder with the name of the answer as the type",
			Reply: reply("providerCreateFolder", func(_ *wrapper, _, m message) message {
				return m.with(message{"type": m["action"], "action": nil})
			}),
		},
		{
			Name: "reports-errors-as-objects", Check: "PR-047",
			Doc: "puts an object into error in place of a sentence",
			Reply: func(_ *wrapper, request, m message) []message {
				if text := m.text("error"); text != "" && slices.Contains(fileVerbs, request.text("type")) {
					return list(m.with(message{"error": map[string]any{"message": text}}))
				}
				return list(m)
			},
		},
		{
			Name: "reports-errors-with-a-message", Check: "PR-047",
			Doc: "puts an empty result beside an error",
			Reply: func(_ *wrapper, request, m message) []message {
				if m["error"] != nil && slices.Contains(fileVerbs, request.text("type")) {
					return list(m.result(json.RawMessage("null")))
				}
				return list(m)
			},
		},
		{
			Name: "has-a-result-always", Check: "PR-048", Also: []string{"FS-002"},
			Doc: "sends an empty object where a success has no value",
			Reply: func(_ *wrapper, request, m message) []message {
				_, valued := m["message"]
				if valued || m["error"] != nil || !slices.Contains(fileVerbs, request.text("type")) {
					return list(m)
				}
				return list(m.result(map[string]any{}))
			},
		},
		{
			Name: "names-the-diff-by-the-rule", Check: "PR-049", Also: []string{"DF-001"},
			Doc: "answers providerGetDiffFiles under the name that the rule makes",
			Reply: reply("providerGetDiffFiles", func(_ *wrapper, _, m message) message {
				return m.with(message{"action": "providerGetDiffFilesResponse"})
			}),
		},
		{
			Name: "wraps-patches", Check: "PR-050",
			Doc: "answers createPatchRequest in the envelope of the other requests",
			Reply: reply("createPatchRequest", func(_ *wrapper, _, m message) message {
				return m.with(message{"type": "remoteProviderEvent", "action": m["type"]})
			}),
		},
		{
			Name: "reports-failed-starts-as-events", Check: "PR-052",
			Doc: "puts a start that failed into the envelope of one that did not",
			Reply: reply("providerStart", func(_ *wrapper, _, m message) message {
				if m["error"] == nil {
					return m
				}
				return m.with(message{"type": "remoteProviderEvent", "action": "providerStartResponse"})
			}),
		},
	}
}

// badAnswers are answers that are missing, or that nobody asked for.
func badAnswers() []defect {
	return []defect{
		{
			Name: "knows-its-place-when-started", Check: "PR-051",
			Doc: "does not tell before a start where the environment would be",
			Request: func(w *wrapper, m message) []message {
				const question = "providerProspectivePath"
				if m.text("type") != question && m.text("action") != question || w.began() != nil {
					return list(m)
				}
				w.say(failure(m, question+"Response", "no environment was started", "NOT_RUNNING"))
				return nil
			},
		},
		{
			Name: "hears-questions-by-type-alone", Check: "PR-051",
			Doc: "does not look at the action of a remoteProviderEvent",
			Request: request("remoteProviderEvent", func(*wrapper, message) message {
				return nil
			}),
		},
		{
			Name: "is-silent-about-what-it-lacks", Check: "PR-053", Lacks: []string{"createPullRequestRequest"},
			Doc:     "does not answer a request that it does not support",
			Request: request("createPullRequestRequest", func(*wrapper, message) message { return nil }),
		},
		{
			Name: "answers-acknowledgements", Check: "PR-054",
			Doc: "takes the acknowledgement of a heartbeat for a request that it does not know",
			Request: func(w *wrapper, m message) []message {
				if typ := m.text("type"); strings.HasPrefix(typ, "providerHeartbeat") && typ != "providerHeartbeatRequest" {
					w.say(failure(m, typ+"Response", "unsupported request "+typ, "UNSUPPORTED"))
					return nil
				}
				return list(m)
			},
		},
	}
}
