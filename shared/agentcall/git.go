package agentcall

var gitVerbs = map[string]map[string]verb{}
