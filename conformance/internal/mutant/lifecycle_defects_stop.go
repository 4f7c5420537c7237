package main

// again makes a Request hook that refuses requests of a type when there was one
// of another before.
func again(typ, after string) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		asked := m.text("type")
		late, _ := w.kept("asked " + after).(bool)
		w.keep("asked "+asked, true)
		if asked != typ || !late {
			return list(m)
		}
		return answers(w, m, failure(m, typ+"Response", "the environment is stopped already", "not_running"))
	}
}

// overtakes makes a Request hook that answers the end of an environment while it
// starts, and lets the start go on.
func overtakes(typ string) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		if m.text("type") != typ || underWay(w, "providerStart") == 0 {
			return list(m)
		}
		answer := success(m, typ+"Response", nil)
		if typ == "closeSignal" {
			answer = message{"type": "closeSignalResponse", "requestId": m["requestId"], "success": true}
		}
		return answers(w, m, answer)
	}
}

func wrongStops() []defect {
	return []defect{
		{
			Name: "answers-a-stop-flat", Check: "LC-010",
			Doc: "answers providerStop with a message of its own type",
			Reply: reply("providerStop", func(_ *wrapper, _, m message) message {
				return m.with(message{"type": "providerStopResponse", "action": nil})
			}),
		},
		{
			Name: "fails-to-stop-nothing", Check: "LC-011",
			Doc: "answers a stop without a start with an error",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") != "providerStop" || w.began() != nil {
					return list(m)
				}
				return answers(w, m, failure(m, "providerStopResponse", "nothing is running", "not_running"))
			},
		},
		{
			Name: "fails-the-second-stop", Check: "LC-012",
			Doc:     "answers the second of two stops with an error",
			Request: again("providerStop", "providerStop"),
		},
		{
			Name: "fails-the-second-close", Check: "LC-013",
			Doc:     "answers the second of two closeSignals with an error",
			Request: again("closeSignal", "closeSignal"),
		},
		{
			Name: "fails-a-stop-after-a-close", Check: "LC-014",
			Doc:     "answers a stop after a closeSignal with an error",
			Request: again("providerStop", "closeSignal"),
		},
		{
			Name: "starts-on-after-a-stop", Check: "LC-015",
			Doc:     "answers a stop during a start at once, and starts on all the same",
			Request: overtakes("providerStop"),
		},
		{
			Name: "starts-on-after-a-close", Check: "LC-016",
			Doc:     "answers a closeSignal during a start at once, and starts on all the same",
			Request: overtakes("closeSignal"),
		},
	}
}
