// An agent that makes the calls which agents make most; see script.go.
const path = require("node:path");
const sdk = require("@codebolt/codeboltjs").default;

const defaults = {
  read: "README.md",
  create: "by-agent.txt",
  content: "made by an agent\n",
  search: "agent",
  command: "pwd",
  say: "hello from the agent",
  prompt: "Say hello.",
  limitMs: 10000,
};

// within waits for what the SDK waits for without end.
function within(limitMs, made) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([made, late]).finally(() => clearTimeout(timer));
}

async function work(task) {
  const calls = [];
  const call = async (name, ...args) => {
    const entry = { name };
    calls.push(entry);
    try {
      const [module, method] = name.split(".");
      const answer = await within(task.limitMs, sdk[module][method](...args));
      if (answer !== undefined) entry.answer = answer;
      if (answer && answer.success === false) {
        entry.error = String(answer.error ?? answer.message ?? "success is false");
      }
      return answer;
    } catch (error) {
      entry.error = error instanceof Error ? error.message : String(error);
    }
  };
  const project = await call("project.getProjectPath");
  const root = project?.projectPath ?? "";
  await call("fs.readFile", path.join(root, task.read));
  await call("fs.createFile", task.create, task.content, root);
  await call("fs.listFile", root, true);
  await call("fs.searchFiles", root, task.search, "*");
  await call("terminal.executeCommand", task.command);
  await call("chat.sendMessage", task.say, {});
  await call("llm.inference", { messages: [{ role: "user", content: task.prompt }] }, "default");
  const failed = calls.filter((c) => c.error !== undefined).map((c) => c.name);
  return { projectPath: root, calls, failed, cwd: process.cwd() };
}

// Listening begins before the connection is there, so that no message is missed.
sdk.chat.onActionMessage().on("userMessage", async (envelope, done) => {
  let task = {};
  try {
    task = JSON.parse(envelope.message.userMessage);
  } catch {
    // A message in words: everything has its default.
  }
  done(await work({ ...defaults, ...task }));
});

sdk.waitForConnection().then(
  () => console.log("connected"),
  (error) => {
    console.error("not connected:", error.message);
    process.exit(1);
  },
);
