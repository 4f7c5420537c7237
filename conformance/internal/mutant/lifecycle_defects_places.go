package main

// planned makes a Reply hook that changes plans.
func planned(change func(plan message) message) func(*wrapper, message, message) []message {
	return reply("providerProspectivePath", func(_ *wrapper, _, m message) message {
		plan := m.object("data")
		if plan == nil {
			return m
		}
		plan = change(plan)
		return m.with(message{"data": plan, "message": plan})
	})
}

func wrongPlaces() []defect {
	return []defect{
		{
			Name: "plans-without-the-id", Check: "LC-052",
			Doc: "plans another path than the start then takes",
			Reply: planned(func(plan message) message {
				if plan["pathSource"] != "provider_proposed" {
					return plan
				}
				path := plan.text("path") + "-0"
				return plan.with(message{"path": path, "projectPath": path, "resolvedPath": path, "environmentPath": path})
			}),
		},
		{
			Name: "makes-what-it-plans", Check: "LC-053",
			Doc: "makes the folder when it is asked for its path",
			Reply: planned(func(plan message) message {
				folder(plan.text("path"))
				return plan
			}),
		},
		{
			Name: "takes-another-place", Check: "LC-054",
			Doc: "puts the environment where it puts all others, whatever path was chosen",
			Request: asks(func(m message) message {
				if path := m.text("environmentPath"); path != "" && !there(path) {
					return m.with(message{"environmentPath": nil})
				}
				return m
			}),
		},
		{
			Name: "reports-a-chosen-path-as-its-own", Check: "LC-054",
			Doc: "answers that it proposed the path that the user chose",
			Reply: starts(func(_ *wrapper, _, result message) message {
				return result.with(message{"pathSource": "provider_proposed"})
			}),
		},
	}
}
