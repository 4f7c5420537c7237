package agentcall

var terminalVerbs = map[string]map[string]verb{}
