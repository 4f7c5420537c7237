package agentcall

var projectVerbs = map[string]map[string]verb{}
