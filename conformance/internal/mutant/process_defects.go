package main

import (
	"net/url"
	"os"
	"syscall"
)

// processDefects are those of group PR.
func processDefects() []defect {
	return []defect{
		{
			Name: "leaves-requests-without-ids", Check: "PR-001",
			Doc: "makes up a requestId of its own for every answer",
			Reply: func(_ *wrapper, request, m message) []message {
				if request == nil {
					return list(m)
				}
				return list(m.with(message{"requestId": "made-up"}))
			},
		},
		{
			Name: "sends-its-environment", Check: "PR-002",
			Doc: "puts every variable of its environment into the URL, as the Node SDK does",
			URL: func(u *url.URL) {
				query := u.Query()
				query.Set("CONFORMANCE_API_KEY", os.Getenv("CONFORMANCE_API_KEY"))
				u.RawQuery = query.Encode()
			},
		},
		{
			Name: "ignores-sigterm", Check: "PR-003",
			Doc:    "goes on after SIGTERM",
			Signal: func(_ *wrapper, sig os.Signal) bool { return !isSignal(sig, syscall.SIGTERM) },
		},
	}
}
