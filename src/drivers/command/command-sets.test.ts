/** Sets that real programs print, and what programs may print instead. */
import { describe, expect, test } from "vitest";
import type { SetDriver } from "../../core/ports/driver.ts";
import { listProcesses, readEnvironment } from "../../platform/process-table.ts";
import { createTestCheckContext } from "../../testing/driver-context.ts";
import { commandBundle } from "./command-bundle.ts";

const [command, shell] = commandBundle.sets as [SetDriver, SetDriver];
const marker = `refloat/set-test-${process.pid}`;

const read = async (driver: SetDriver, options: object, timeoutMs = 60_000, signal?: AbortSignal) => {
  const context = {
    ...createTestCheckContext({
      values: { "self.path": "/srv/a b", "self.url": "secret!postgres://u:hunter2@db/x" },
      outputs: { path: { value: "/srv/a b", secret: false }, url: { value: "hunter2", secret: true } },
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    }),
    component: "archive",
    marker,
  };
  let text = "";
  for await (const chunk of driver.values(context, options)) text += Buffer.from(chunk).toString();
  return text.split("\n").slice(0, -1);
};

const left = (): number =>
  listProcesses().filter(({ pid }) => readEnvironment(pid)?.get("REFLOAT_STEP") === marker).length;

describe("a set by a program", () => {
  test("is what it prints; nothing of it is read by a shell", async () => {
    expect(await read(command, { command: ["printf", "%s\\n", "${self.path}", "$HOME", "a;b", "*"] })).toEqual([
      "/srv/a b",
      "$HOME",
      "a;b",
      "*",
    ]);
  });

  test("has the outputs of its component in its environment", async () => {
    expect(await read(shell, { shell: 'echo "$REFLOAT_PATH"; echo "$REFLOAT_URL" | wc -c' })).toEqual([
      "/srv/a b",
      "8",
    ]);
    await expect(read(command, { command: ["echo", "${self.url}"] })).rejects.toMatchObject({ code: "config.invalid" });
  });

  test("is empty when it prints nothing and ends well", async () => {
    expect(await read(command, { command: ["true"] })).toEqual([]);
  });

  test.each([
    [
      "an exit status, whatever was printed before",
      "echo a; echo $REFLOAT_URL is wrong >&2; exit 3",
      "failed: exit status 3: [secret] is wrong",
    ],
    ["a signal", "echo a; kill -KILL $$", "failed: ended by SIGKILL"],
    ["output without end", "yes $(printf %060000d 0)", "its output is larger than 256 MiB"],
    ["a line without end", "tr '\\0' x < /dev/zero", "line 1 of its output is longer than 65536 characters"],
    ["no text", "head -c 4096 /bin/sh", "its output is no text: its begin is not UTF-8, or holds a zero byte"],
  ])("refuses %s", async (_what, line, message) => {
    await expect(read(shell, { shell: line })).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining(message) as string,
      hint: expect.any(String) as string,
    });
    await expect.poll(left).toBe(0);
  });

  test("refuses one that does not end in time, with all that it started", async () => {
    await expect(read(shell, { shell: "echo a; sleep 600 & sleep 600" }, 100)).rejects.toMatchObject({
      code: "program.failed",
      message: '"echo a; sleep 600 & sleep 600" has not ended in 0.1 s',
      hint: "allow more by timeout:, or let it print fewer values",
    });
    await expect.poll(left).toBe(0);
  });

  test("says that a program is not there, and ends with its signal", async () => {
    await expect(read(command, { command: ["/nowhere/list"] })).rejects.toMatchObject({
      code: "program.missing",
      message: "/nowhere/list cannot be started",
    });
    const stop = new AbortController();
    const reading = read(command, { command: ["sleep", "600"] }, 60_000, stop.signal);
    const reason = new Error("enough");
    setTimeout(() => stop.abort(reason), 50);
    await expect(reading).rejects.toBe(reason);
    await expect.poll(left).toBe(0);
  });
});
