/** What becomes of the programs that a declared line has started when the line itself is killed by others. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { findByEnvironment, signalProcess } from "./process-table.ts";
import { createTestFolder } from "../testing/driver-context.ts";
import { describeEnd, runShellLine } from "./shell-line.ts";

const never = new AbortController().signal;
let count = 0;

/** A line that says that it has begun, and whose programs are known by its marker. */
const begin = async (line: string, mayLeaveDaemon: boolean) => {
  const marker = `refloat/test.${process.pid}/line/${(count += 1)}`;
  const running = () => findByEnvironment({ REFLOAT_STEP: marker });
  const ended = runShellLine(line, { signal: never, marker, mayLeaveDaemon });
  while (running().length < 3) await delay(5);
  return { ended, running };
};

it.each([true, false])(
  "a line that is killed leaves none of its programs behind, may it leave a daemon: %s",
  async (may) => {
    const { ended, running } = await begin("sleep 60 & sleep 61; true", may);
    const shell = running().find(({ pid, group }) => pid === group);
    if (shell === undefined) throw new Error("the shell is not there");
    signalProcess(shell, "SIGKILL");
    expect(describeEnd(await ended)).toBe("ended by SIGKILL");
    await expect.poll(() => running().length).toBe(0);
  },
);

it("a program that a line waits for and that is killed is the failure of the line, which goes on as it likes", async () => {
  const { ended, running } = await begin("sleep 60 & sleep 61; echo status $?; kill $!", false);
  const [last] = running().toSorted((one, other) => other.startTicks - one.startTicks || other.pid - one.pid);
  if (last === undefined) throw new Error("the program is not there");
  signalProcess(last, "SIGKILL");
  expect((await ended).stdout).toBe("status 137\n");
  await expect.poll(() => running().length).toBe(0);
});

it("a line that ends well leaves what it put into the background, where it may", async () => {
  // It ends once all of it was seen.
  const folder = await createTestFolder();
  const gate = join(folder.path, "gate");
  const { ended, running } = await begin(
    `sleep 60 > /dev/null 2>&1 & until test -e '${gate}'; do sleep 0.1; done`,
    true,
  );
  await writeFile(gate, "");
  expect(describeEnd(await ended)).toBeNull();
  expect(running()).toHaveLength(1);
  for (const one of running()) signalProcess(one, "SIGKILL");
  await folder.remove();
});
