/**
 * The process that opens databases, apart from Refloat's own: a long query blocks nobody there and can be ended, a library that meets a
 * damaged file takes nothing with it, and no other part of the program can drop the locks on a file (POSIX takes all locks of a process
 * away when it closes any descriptor of the file).
 *
 * One task in a line of JSON on standard input; bytes, if any, on standard output; one line of JSON on descriptor 3: the result or
 * the error. The end of standard input lets go of what is held.
 */
import { readSync, writeSync } from "node:fs";
import { toRefloatError } from "../../../model/refloat-error.ts";
import { askDatabases } from "./ask-databases.ts";
import { compareDatabases } from "./compare-databases.ts";
import { copyDatabases } from "./copy-databases.ts";
import { estimateRows } from "./estimate-rows.ts";
import { holdDatabases } from "./hold-databases.ts";
import { inspectDatabases } from "./inspect-databases.ts";
import { lookAtDatabases } from "./look-at-databases.ts";
import { streamRows } from "./stream-rows.ts";
import { streamValues } from "./stream-values.ts";
import type { TaskIo } from "./task-io.ts";

const tasks = {
  ask: askDatabases,
  compare: compareDatabases,
  copy: copyDatabases,
  estimate: estimateRows,
  hold: holdDatabases,
  inspect: inspectDatabases,
  look: lookAtDatabases,
  rows: streamRows,
  values: streamValues,
};
export type SqliteTasks = typeof tasks;

const newline = 0x0a;
const [input, output, answers] = [0, 1, 3];

const readLine = (): string => {
  const parts: Buffer[] = [];
  const chunk = Buffer.alloc(65_536);
  for (;;) {
    const length = readSync(input, chunk);
    const end = chunk.subarray(0, length).indexOf(newline);
    parts.push(Buffer.from(chunk.subarray(0, end === -1 ? length : end)));
    if (end !== -1 || length === 0) return Buffer.concat(parts).toString("utf8");
  }
};

const say = (message: object): void => {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < bytes.length;) at += writeSync(answers, bytes, at);
};

const io: TaskIo = {
  write: (bytes) => {
    for (let at = 0; at < bytes.length;) at += writeSync(output, bytes, at);
  },
  ready: () => say({ ready: true }),
  untilReleased: () => {
    const chunk = Buffer.alloc(256);
    while (readSync(input, chunk) > 0);
  },
};

export const serveTask = async (): Promise<void> => {
  try {
    const { kind, request } = JSON.parse(readLine()) as { kind: keyof SqliteTasks; request: never };
    const run = tasks[kind] as (asked: never, io: TaskIo) => unknown;
    say({ result: (await run(request, io)) ?? null });
  } catch (thrown) {
    const { code, message, hint, state, context, stack } = toRefloatError(thrown);
    say({ error: { code, message, hint, state, context, ...(code === "bug" ? { stack } : {}) } });
  }
};
