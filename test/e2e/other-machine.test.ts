/**
 * A recovery whose machine is lost in the middle of its cutover is finished on another one, which knows the vault and the servers and
 * nothing else; and the first machine, when it comes back, does nothing more. A folder for the state and a home of its own stand for a machine.
 */
import { access, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type NotesService, startNotesService } from "./support/notes-service.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let notes: NotesService;
let first: RefloatProgram;
let second: RefloatProgram;
let captured: string;

const at = (name: string): string => join(notes.folder, name);
const exists = (name: string): Promise<boolean> =>
  access(at(name)).then(
    () => true,
    () => false,
  );
const longWay = { timeout: 400_000 };
const patience = { timeout: 90_000, interval: 50 };

/** From now on the line that directs traffic waits at this action, and says by a file that it does. */
const armAt = async (action: "hold" | "admit"): Promise<void> => {
  await rm(at("waits"), { force: true });
  await writeFile(at(`armed-${action}`), "");
};
const untilHeld = () => vi.waitFor(async () => expect(await exists("waits")).toBe(true), patience);
const disarm = async (): Promise<void> => {
  for (const action of ["hold", "admit"]) await rm(at(`armed-${action}`), { force: true });
};

const heldTimes = async (): Promise<number> =>
  (await readFile(at("traffic.log"), "utf8")).split("\n").filter((line) => line === "hold").length;

const newestRun = async (machine: RefloatProgram) => {
  const { lines } = await machine.succeed(["runs", "--json"]);
  const [newest] = resultEnvelopeSchema("runs").parse(lines.at(-1)).data;
  if (newest === undefined) throw new Error("no run");
  return newest;
};

const damage = async (): Promise<void> => {
  await notes.query("update notes set body = 'overwritten'");
  await rm(at("docs/note-1.txt"), { force: true });
};

beforeAll(async () => {
  notes = await startNotesService(`    cutover:
      - command: ./traffic.sh
        to: 127.0.0.1:1
`);
  await writeFile(
    at("traffic.sh"),
    `#!/bin/sh
cd '${notes.folder}' || exit 1
echo "$REFLOAT_ACTION" >> traffic.log
while test -e "armed-$REFLOAT_ACTION"; do touch waits; sleep 0.1; done
`,
    { mode: 0o755 },
  );
  for (const name of ["home-1", "home-2"]) await mkdir(at(name));
  const on = (machine: RefloatProgram, home: string): RefloatProgram => ({
    run: (args, environment) => machine.run(args, { HOME: at(home), ...environment }),
    succeed: (args, environment) => machine.succeed(args, { HOME: at(home), ...environment }),
    spawn: (args, environment) => machine.spawn(args, { HOME: at(home), ...environment }),
  });
  first = on(notes.refloat, "home-1");
  second = on(refloatIn(notes.folder, at("state-2")), "home-2");
  await notes.insert(40);
  await first.succeed(["vault", "init"]);
  await first.succeed(["capture", "notes"]);
  captured = await notes.digest();
});
afterAll(async () => {
  await disarm();
  await notes.stop();
});

/** The run is finished, the first machine learns of it and can go on with what it is for. */
const isFinished = async (run: string): Promise<void> => {
  expect(await notes.digest()).toBe(captured);
  expect(await notes.databases()).toEqual(["notes", `notes_old${run}`, "postgres"]);
  const verb = Number(run) % 2 === 0 ? "cancel" : "resume";
  const refused = await first.run([verb, run, "--yes"]);
  expect(refused.exit).toBe(3);
  expect(refused.stderr).toContain(`error run.wrong-state: run ${run} cannot be`);
  expect(await newestRun(first)).toMatchObject({ number: Number(run), state: "succeeded", epoch: 2 });
  expect(await notes.digest()).toBe(captured);
  await first.succeed(["commit", run, "--yes"]);
  expect(await notes.databases()).toEqual(["notes", "postgres"]);
  expect((await readdir(at(""))).filter((name) => name.startsWith("docs"))).toEqual(["docs"]);
};

describe.each(["hold", "admit"] as const)("the first machine is lost at %s", (action) => {
  it("resume UID finishes on the second one, and the first learns of it", longWay, async () => {
    await damage();
    await armAt(action);
    const lost = first.spawn(["recover", "notes", "--yes"]);
    await untilHeld();
    lost.kill("SIGKILL");
    await lost;
    await disarm();
    const { number, uid } = await newestRun(first);
    const switched = action === "admit";
    expect(await notes.databases()).toContain(switched ? `notes_old${number}` : `notes_r${number}`);

    const resumed = await second.succeed(["resume", uid, "--yes", "--json"]);
    expect(resultEnvelopeSchema("run").parse(resumed.lines.at(-1)).data.record).toMatchObject({
      uid,
      number,
      state: "succeeded",
      epoch: 2,
    });
    expect((await readFile(at("traffic.log"), "utf8")).trim().split("\n").at(-1)).toBe("admit");
    await isFinished(String(number));
  });
});

describe("the first machine was only asleep", () => {
  it("wakes up in the middle of its cutover and changes nothing more", longWay, async () => {
    await damage();
    await armAt("hold");
    const asleep = first.spawn(["recover", "notes", "--yes"]);
    await untilHeld();
    asleep.kill("SIGSTOP");
    const { number, uid } = await newestRun(first);
    await disarm();
    await second.succeed(["resume", uid, "--yes"]);
    const before = await readFile(at("traffic.log"), "utf8");

    asleep.kill("SIGCONT");
    const { exitCode, stderr } = await asleep;
    expect(exitCode).toBe(7);
    expect(stderr).toContain(`error run.fenced: run ${number} was taken up on `);
    expect(stderr).toContain("this process stopped before ");
    expect(stderr).toContain(`next: refloat resume ${uid}`);
    expect(await readFile(at("traffic.log"), "utf8")).toBe(before);
    await isFinished(String(number));
  });

  it("is told so when it is asked to go on while the second one is not done", longWay, async () => {
    await damage();
    await armAt("hold");
    const lost = first.spawn(["recover", "notes", "--yes"]);
    await untilHeld();
    lost.kill("SIGKILL");
    await lost;
    const { number, uid } = await newestRun(first);
    const before = await heldTimes();
    const busy = second.spawn(["resume", uid, "--yes"]);
    await vi.waitFor(async () => expect(await heldTimes()).toBe(before + 1), patience);
    for (const verb of ["resume", "cancel"]) {
      const refused = await first.run([verb, String(number), "--yes"]);
      expect(refused.exit).toBe(7);
      expect(refused.stderr).toContain(`error run.fenced: run ${number} of notes was taken up on `);
      expect(refused.stderr).toContain(`next: refloat resume ${uid}`);
    }
    await disarm();
    expect((await busy).exitCode).toBe(0);
    await isFinished(String(number));
  });
});
