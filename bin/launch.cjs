/**
 * Runs one of our modules with a Node that is new enough. Kept in old syntax: it must parse on Node 12, so that an old Node says
 * what is missing instead of printing a syntax error. Knows nothing of what the module does.
 */
"use strict";

var childProcess = require("child_process");
var fs = require("fs");
var os = require("os");
var path = require("path");

var root = path.join(__dirname, "..");
var neededMajor = 24;

/**
 * What Node and the C library only hear at their start. By default the C library keeps an arena for each thread and what was freed in it,
 * and Node lets the young objects of a thread grow to 48 MB: a restore takes 380 MB so, and 260 MB like this. What is free at the heap's
 * end stays up to 16 MB, and what one blob takes comes out of the heap as well, since giving it back and asking again for every blob, page by page, took a
 * fifth of a capture.
 */
var memory = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "16777216",
  MALLOC_TRIM_THRESHOLD_: "16777216",
  MALLOC_TOP_PAD_: "1048576",
};
var memoryFlag = "--max-semi-space-size=4";

/** What somebody has chosen himself stays. */
function withMemory(environment) {
  return Object.assign({}, memory, environment);
}

/** What we start has a memory of its own to think of. */
function forgetMemory() {
  Object.keys(memory).forEach(function (name) {
    if (process.env[name] === memory[name]) delete process.env[name];
  });
}

function majorOf(version) {
  return parseInt(version.replace(/^v/, ""), 10);
}

/** The Node that `npm install` brought into this clone; null when it is not there or is itself too old. */
function ownNode() {
  var folder = path.join(root, "node_modules", "node");
  var program = path.join(folder, "bin", "node");
  try {
    var version = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")).version;
    fs.accessSync(program, fs.constants.X_OK);
    return majorOf(version) >= neededMajor ? program : null;
  } catch {
    return null;
  }
}

/** Can nobody but root and us put another folder in its place, or in that of one above it? */
function isSafe(folder, user) {
  var found = fs.statSync(folder);
  var isOwned = found.uid === user || found.uid === 0;
  var isKept = (found.mode & 18) === 0 || (found.mode & 512) !== 0;
  return isOwned && isKept && (path.dirname(folder) === folder || isSafe(path.dirname(folder), user));
}

/**
 * Where compiled code is kept; null where there is no place for it. Node does not look whether it belongs to the source that it is kept for, and by
 * itself keeps it under /tmp, where anybody may have put something else for root to run.
 */
function compiledFolder() {
  if (process.geteuid === undefined) return null;
  try {
    var given = process.env["XDG_CACHE_HOME"] || "";
    var base = path.isAbsolute(given) ? given : path.join(os.homedir(), ".cache");
    var parent = fs.realpathSync(fs.existsSync(base) ? base : path.dirname(base));
    if (!isSafe(parent, process.geteuid())) return null;
    // One after the other: where a parent cannot be made at all, a recursive one never returns.
    [base, path.join(base, "refloat"), path.join(base, "refloat", "compiled")].forEach(function (folder) {
      if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 448 });
    });
    var own = fs.realpathSync(path.join(base, "refloat", "compiled"));
    // A sticky folder keeps others from what is there, and not from adding to it.
    return isSafe(own, process.geteuid()) && (fs.statSync(own).mode & 18) === 0 ? own : null;
  } catch {
    return null;
  }
}

/** A child gets our standard streams and the signals that reach only us; we end as it ends. */
function runWith(program, script) {
  var child = childProcess.spawn(program, [script].concat(process.argv.slice(2)), { stdio: "inherit" });
  var pass = {};
  // A terminal sends SIGINT and SIGQUIT to the child as well; passing them on again would read as a second Ctrl-C.
  var shared = process.stdin.isTTY ? ["SIGINT", "SIGQUIT"] : [];
  ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR2"].forEach(function (signal) {
    pass[signal] = function () {
      if (shared.indexOf(signal) < 0) child.kill(signal);
    };
    process.on(signal, pass[signal]);
  });
  child.on("error", function (error) {
    process.stderr.write("refloat: " + program + " could not be started: " + error.message + "\n");
    process.exit(2);
  });
  child.on("exit", function (code, signal) {
    if (signal === null) process.exit(code);
    if (pass[signal]) process.removeListener(signal, pass[signal]);
    // End by the same signal; where it does not end us (SIGKILL's number is all we can give), by the shell's number for it.
    if (pass[signal]) process.kill(process.pid, signal);
    process.exitCode = 128 + (os.constants.signals[signal] || 0);
  });
}

/**
 * @param {string} script path of a module, from the root of the package
 * @param {{ lean?: boolean }} options lean: with the least memory, for which the process begins anew under its own number
 */
exports.launch = function launch(script, options) {
  var file = path.join(root, script);
  var lean = options !== undefined && options.lean === true;
  if (majorOf(process.version) >= neededMajor) {
    if (lean && process.execArgv.indexOf(memoryFlag) < 0) {
      var words = [process.execPath, memoryFlag].concat(process.execArgv, process.argv.slice(1));
      process.execve(process.execPath, words, withMemory(process.env));
    }
    if (lean) forgetMemory();
    process.argv[1] = file;
    // As the main module, not as an imported one: import.meta.main tells the truth, and what it throws ends us as Node ends itself.
    var nodeModule = require("module");
    // Compiled code is kept between commands: a fresh start reads some three hundred modules.
    var compiled = compiledFolder();
    if (compiled !== null) nodeModule.enableCompileCache(compiled);
    nodeModule.runMain();
    return;
  }
  var own = ownNode();
  if (own !== null) {
    // By the way it came, so that the new Node begins with the least memory as well.
    runWith(own, lean ? process.argv[1] : file);
    return;
  }
  process.stderr.write(
    "refloat needs Node.js " +
      neededMajor +
      " or newer; this is " +
      process.version +
      " (" +
      process.execPath +
      ").\n" +
      (fs.existsSync(path.join(root, "package-lock.json"))
        ? 'hint: npm install brings the right one into this folder; if it did, let npm run the install script of the package "node"\n'
        : "hint: install it from https://nodejs.org or with your version manager\n"),
  );
  process.exit(2);
};
