package agentcall

var fileVerbs = map[string]map[string]verb{}
