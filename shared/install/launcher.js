// Starts the program of this provider that fits the machine, for servers that start
// providers with Node. It needs nothing but Node itself, version 12 or newer.
//
// The program is a group of its own: a signal reaches it once, from here, and not a
// second time because a terminal or a server sent it to the whole group. It notices by
// itself when this process dies; this process watches over the one that started it.
"use strict";

const parent = process.ppid; // at once: whoever started this may be gone a moment later

const { spawn } = require("child_process");
const fs = require("fs");
const path = require("path");

const folder = path.join(__dirname, "..");
const { name, codebolt } = require("../package.json");
const windows = process.platform === "win32";

// What package managers and Node call a system, as the programs' folders do.
const systems = { win32: "windows" };
const processors = { x64: "amd64" };
const system = systems[process.platform] || process.platform;
const processor = processors[process.arch] || process.arch;

// Node may itself be emulated, and systems that emulate can run the other program.
const fitting = [`${system}-${processor}`];
if (system === "darwin" && processor === "amd64") fitting.unshift("darwin-arm64");
if ((system === "darwin" || system === "windows") && processor === "arm64") fitting.push(`${system}-amd64`);

function fail(reason) {
  process.stderr.write(`${name}: ${reason}\n`);
  process.exit(1);
}

// at is the program in one of the folders.
function at(platform) {
  return path.join(folder, "bin", platform, codebolt.program + (platform.startsWith("windows-") ? ".exe" : ""));
}

function choose() {
  const fits = fitting.find((platform) => fs.existsSync(at(platform)));
  if (fits !== undefined) return at(fits);
  let others = [];
  try {
    others = fs.readdirSync(path.join(folder, "bin")).filter((platform) => fs.existsSync(at(platform)));
  } catch (_) {
    // There is not even a folder of programs.
  }
  return fail(`there is no program for ${fitting[0]} in ${path.join(folder, "bin")}` +
    `${others.length > 0 ? `, but for ${others.join(", ")}` : ""}. Install one that fits with: codebolt-providers install ${name}`);
}

function run(file) {
  if (!windows) {
    try {
      fs.accessSync(file, fs.constants.X_OK);
    } catch (_) {
      try {
        fs.chmodSync(file, 0o755); // some tools that unpack archives lose it
      } catch (problem) {
        fail(`${file} may not be executed: ${problem.message}`);
      }
    }
  }
  // Heard before there is a program: whoever sends a signal may know of it at once.
  let child;
  const signals = windows ? ["SIGINT", "SIGTERM", "SIGBREAK"] : ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2"];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child = spawn(file, process.argv.slice(2), { stdio: "inherit", detached: !windows, windowsHide: true });

  const watch = setInterval(() => {
    if (!gone(parent)) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, 1000);

  child.on("error", (problem) => {
    if (child.pid === undefined) fail(`${file} could not be started: ${problem.message}`);
  });
  child.on("exit", (status, signal) => {
    if (signal === null) process.exit(status);
    for (const heard of signals) process.removeAllListeners(heard);
    process.kill(process.pid, signal); // ends as the program did
    setTimeout(() => process.exit(1), 1000); // should that signal not end this process
  });
}

// gone tells whether the process that started this one has ended. Where a process keeps
// the number of its parent, that is looked for.
function gone(parent) {
  if (process.ppid !== parent) return true;
  if (!windows) return false;
  try {
    process.kill(parent, 0);
    return false;
  } catch (problem) {
    return problem.code === "ESRCH";
  }
}

run(choose());
