#!/usr/bin/env node
/**
 * A Refloat plugin for one etcd server: captured by `etcdctl snapshot save`, restored into a new data folder, switched by the path of
 * that folder. Plain Node without dependencies, written against docs/plugins.md alone.
 *
 * The declaration's `name:` is the data folder, such as /var/lib/etcd; `options:` are below.
 */
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const options = {
  type: "object",
  additionalProperties: false,
  required: ["endpoint"],
  properties: {
    endpoint: {
      type: "string",
      pattern: "^https?://",
      description: "Where the server answers: http://127.0.0.1:2379.",
    },
    user: { type: "string", description: "User and password, user:password, where authentication is on." },
    member: {
      type: "string",
      description: "Name of the member, as the server is started with; default when left out.",
    },
    peer: {
      type: "string",
      description: "Its peer URL, as the server is started with; http://localhost:2380 when left out.",
    },
    stop: { type: "string", description: "Line that stops the server, such as systemctl stop etcd. It may run again." },
    start: {
      type: "string",
      description: "Line that starts the server, such as systemctl start etcd. It may run again.",
    },
  },
};

const say = (message) => fs.writeSync(1, `${JSON.stringify(message)}\n`);
const fail = (code, message, hint) => {
  say({ error: { code, message: message.slice(0, 900), ...(hint === undefined ? {} : { hint }) } });
  process.exit(1);
};

// Refloat takes long silence for a plugin that hangs.
setInterval(() => say({ progress: {} }), 10_000).unref();

const clean = () => {
  const { ETCDCTL_ENDPOINTS: _endpoints, ...environment } = process.env;
  return { ...environment, ETCDCTL_API: "3" };
};

/** Runs etcdctl to its end without blocking the heartbeat. The password goes by the environment, never by the command line. */
const etcdctl = (endpoint, user, args) =>
  new Promise((resolve, reject) => {
    const env = { ...clean(), ...(user === undefined ? {} : { ETCDCTL_USER: user }) };
    const words = endpoint === null ? args : ["--endpoints", endpoint, ...args];
    const child = spawn("etcdctl", words, { env, stdio: ["ignore", "pipe", "pipe"] });
    const out = [];
    let said = "";
    child.stdout.on("data", (chunk) => out.push(chunk));
    child.stderr.on("data", (chunk) => (said = (said + chunk).slice(-2_000)));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) return resolve(Buffer.concat(out).toString("utf8"));
      reject(Object.assign(new Error(said.trim().split("\n").at(-1) || `etcdctl ended with ${status}`), { said }));
    });
  });

/** Keys in order, with their values and revisions: equal text is equal data. */
const read = async (endpoint, user) => {
  const answer = JSON.parse(await etcdctl(endpoint, user, ["get", "", "--from-key", "--write-out", "json"]));
  const hash = createHash("sha256");
  for (const { key, value, mod_revision } of answer.kvs ?? []) hash.update(`${key} ${value ?? ""} ${mod_revision}\n`);
  return { keys: answer.count ?? 0, revision: String(answer.header.revision), hash: hash.digest("hex").slice(0, 32) };
};

const freePort = () =>
  new Promise((resolve) => {
    const server = require("node:net").createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Asks a data folder by a server of our own on ports that nobody knows; it works on a copy of nothing and is ended at once. */
const withServer = async (folder, { member = "default" }, act) => {
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const server = spawn(
    "etcd",
    ["--data-dir", folder, "--name", member, "--listen-client-urls", url, "--advertise-client-urls", url].concat([
      "--listen-peer-urls",
      `http://127.0.0.1:${peer}`,
      "--log-level",
      "error",
    ]),
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  server.stderr.on("data", (chunk) => (said = (said + chunk).slice(-2_000)));
  const ended = new Promise((resolve) => server.once("exit", resolve));
  try {
    for (let tries = 0; ; tries += 1) {
      const health = await etcdctl(url, undefined, ["endpoint", "health"]).then(
        () => true,
        () => false,
      );
      if (health) break;
      if (tries > 100 || server.exitCode !== null)
        throw new Error(`etcd does not start on ${folder}: ${said.trim().split("\n").at(-1)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await act(url);
  } finally {
    server.kill("SIGTERM");
    await ended;
  }
};

/** The live folder is asked by its server, any other by one of our own. */
const readPlace = ({ name, stable, options: given }) =>
  name === stable ? read(given.endpoint, given.user) : withServer(name, given, (url) => read(url, given.user));

const isWhole = (folder) => fs.existsSync(path.join(folder, "member", "snap", "db"));

const runDeclared = (line, what) => {
  if (line === undefined) return;
  const ended = spawnSync("/bin/sh", ["-c", line], { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  if (ended.status !== 0) fail("program.failed", `${what} failed: ${(ended.stderr ?? "").trim().split("\n").at(-1)}`);
};

/** Blocks until the pipe takes it. */
const writeAll = (bytes) => {
  for (let done = 0; done < bytes.length;) {
    try {
      done += fs.writeSync(3, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
};
const frame = (header) => writeAll(Buffer.from(`${JSON.stringify(header)}\n`));

/** The stream of a restore, written to `file`. Throws unless it is whole and the seal has come. */
const receive = async (file) => {
  const out = fs.openSync(file, "wx", 0o600);
  let held = Buffer.alloc(0);
  let left = 0;
  let total = 0;
  let isSealed = false;
  let hasEnded = false;
  for await (const chunk of fs.createReadStream("", { fd: 3 })) {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      if (left > 0) {
        const part = held.subarray(0, left);
        if (part.length === 0) break;
        fs.writeSync(out, part);
        left -= part.length;
        total += part.length;
        held = held.subarray(part.length);
        continue;
      }
      const at = held.indexOf(10);
      if (at < 0) break;
      const header = JSON.parse(held.subarray(0, at).toString("utf8"));
      held = held.subarray(at + 1);
      if (header.stream !== undefined) left = header.bytes;
      if (header.end !== undefined) hasEnded = header.bytes === total;
      if (header.seal !== undefined) isSealed = true;
    }
  }
  fs.fsyncSync(out);
  fs.closeSync(out);
  if (!hasEnded || !isSealed) throw new Error("the data ended before its seal");
};

const requests = {
  check: async ({ options: given }) => {
    const version = (await etcdctl(null, undefined, ["version"])).split("\n")[0];
    const { keys, revision } = await read(given.endpoint, given.user);
    const switched = given.stop !== undefined && given.start !== undefined;
    return {
      findings: [
        { ok: true, subject: given.endpoint, found: `${keys} keys at revision ${revision}; ${version}` },
        switched
          ? { ok: true, subject: "stop and start", found: "are declared" }
          : {
              ok: false,
              subject: "stop and start",
              found: "are not declared",
              hint: "the server cannot be switched while it runs",
            },
      ],
    };
  },

  // etcdctl writes a file, never a pipe, and seals it by a hash that `snapshot restore` checks. What a killed capture leaves beside the
  // data folder is removed by the next.
  capture: async ({ options: given, stable }) => {
    const folder = `${stable}.capture`;
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { mode: 0o700 });
    const file = path.join(folder, "snapshot.db");
    await etcdctl(given.endpoint, given.user, ["snapshot", "save", file]);
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of fs.createReadStream(file, { highWaterMark: 1 << 20 })) {
      hash.update(chunk);
      bytes += chunk.length;
      frame({ stream: "snapshot.db", bytes: chunk.length });
      writeAll(chunk);
    }
    frame({ end: "snapshot.db", bytes, sha256: hash.digest("hex") });
    frame({ seal: 1 });
    fs.rmSync(folder, { recursive: true });
    return {};
  },

  restore: async ({ name, options: given }) => {
    const file = `${name}.snapshot`;
    fs.rmSync(file, { force: true });
    await receive(file);
    const { member = "default", peer = "http://localhost:2380" } = given;
    await etcdctl(
      null,
      undefined,
      ["snapshot", "restore", file, "--data-dir", name, "--name", member].concat([
        "--initial-cluster",
        `${member}=${peer}`,
        "--initial-advertise-peer-urls",
        peer,
      ]),
    );
    fs.rmSync(file);
    return {};
  },

  inspect: async ({ name }) => ({
    presence: isWhole(name) ? "done" : fs.existsSync(name) || fs.existsSync(`${name}.snapshot`) ? "partial" : "absent",
  }),
  drop: async ({ name, stable }) => {
    if (name === stable) fail("target.failed", "the live folder is not dropped");
    fs.rmSync(name, { recursive: true, force: true });
    fs.rmSync(`${name}.snapshot`, { force: true });
    return {};
  },
  facts: async (request) => {
    const { keys, hash } = await readPlace(request);
    return { facts: { keys, hash } };
  },
  position: async (request) => ({ position: (await readPlace(request)).revision }),
  outputs: async ({ options: given }) => ({ outputs: { endpoint: { value: given.endpoint } } }),
  stop: async ({ options: given }) => (runDeclared(given.stop, "stop"), {}),
  reload: async ({ options: given }) => (runDeclared(given.start, "start"), {}),
};

say({
  refloat: 1,
  hello: { name: "etcd", version: "1.0.0", can: ["check", "facts", "position", "outputs", "stop", "reload"], options },
});
const request = JSON.parse(fs.readFileSync(0, "utf8"));
requests[request.request](request).then(
  (result) => {
    say({ result });
    process.exit(0);
  },
  (error) => {
    process.stderr.write(`${error.said ?? error.stack}\n`);
    const code = /connection refused|deadline exceeded/.test(error.said ?? "")
      ? "source.unreachable"
      : "program.failed";
    fail(code, `${request.request}: ${error.message}`);
  },
);
