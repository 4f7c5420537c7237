// Package nodesdk makes agents that are written with the SDK for Node as it is
// published, for the tests of what runs agents.
//
//	func TestMain(m *testing.M) { os.Exit(nodesdk.Main(m)) }
//
//	func TestAnAgentRuns(t *testing.T) {
//		dir := filepath.Join(t.TempDir(), "agent")
//		nodesdk.Agent(t, dir, nodesdk.Script, nodesdk.Bundled)
//		// start node index.js in dir, and send it nodesdk.Task{}.Message()
//	}
//
// The SDK comes from npm, at the versions of package/package-lock.json. What it
// sends for which call, and which answer it then waits for, is in
// testdata/frames.jsonl; the tests of this package hold the SDK to that.
package nodesdk
