/** An incident from its opening to its end: what expires, what is doubted, what last means; also from a copy of the vault alone. */
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

const declaration = (path: string): string => `vault:
  url: ${path}/vault
  password: \${file:${path}/password}
services:
  notes:
    keep: { last: 1 }
    components:
      docs: { type: files, path: ${path}/docs }
`;

describe("an incident", () => {
  let folder: TestFolder;
  let program: RefloatInside;
  const ids: string[] = [];
  let wrongSince: string;
  const succeed = (...args: readonly string[]) => program.succeed(args);
  const capture = async (content: string): Promise<void> => {
    await writeFile(`${folder.path}/docs/note`, content);
    const { lines } = await succeed("capture", "notes", "--json");
    ids.push(resultEnvelopeSchema("capture").parse(lines.at(-1)).data.id);
  };
  const plannedPoint = async (...more: readonly string[]) => {
    const { lines } = await succeed("plan", "notes", "--json", ...more);
    return resultEnvelopeSchema("plan").parse(lines.at(-1)).data.intent.point?.id;
  };
  const known = async () =>
    resultEnvelopeSchema("incident").parse((await succeed("incident", "--json")).lines.at(-1)).data;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-incident");
    program = refloatInside(folder.path);
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
    await writeFile(`${folder.path}/refloat.yaml`, declaration(folder.path));
    await mkdir(`${folder.path}/docs`);
    await succeed("vault", "init");
    await capture("good");
    await capture("good still");
    await delay(20);
    wrongSince = new Date().toISOString();
    await delay(20);
    await capture("wrong");
  });

  afterAll(async () => {
    await program.close();
    await folder.remove();
  });

  it("is asked for what it needs to know", async () => {
    for (const args of [
      ["open"],
      ["open", "notes"],
      ["close"],
      ["close", "notes", "--since", "14:05"],
      ["reopen", "notes"],
    ])
      expect(await program.run(["incident", ...args])).toMatchObject({ exit: 2, stdout: "" });
    const closed = await program.run(["incident", "close", "notes"]);
    expect(closed).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("error incident.none: no incident of notes is open"),
    });
    const unknown = await program.run(["incident", "open", "notes", "--since", "the flood"]);
    expect(unknown).toMatchObject({ exit: 2, stderr: expect.stringContaining('notes has no mark "the flood"') });
    expect((await known()).incidents).toEqual([]);
  });

  it("doubts what came after it, keeps all, and changes what last means", async () => {
    const { stdout } = await succeed("incident", "open", "notes", "--since", wrongSince, "--reason", "prices are 0");
    expect(stdout).toContain("an incident of notes is open since");
    const points = (await succeed("points", "notes")).stdout;
    expect(points).toMatch(new RegExp(`${ids[2]?.slice(0, 8)}.* suspect$`, "m"));
    expect(points).not.toMatch(new RegExp(`${ids[1]?.slice(0, 8)}.*suspect`));
    expect(points).toMatch(/! +[\d:]+ +an incident is open since then: prices are 0/);
    expect(await plannedPoint()).toBe(ids[1]);
    expect((await succeed("plan", "notes", "--at", "last")).stdout).toMatch(/^Plan .*the last before the incident of/);
    const doubted = await succeed("plan", "notes", "--at", ids[2]?.slice(0, 8) ?? "");
    expect(doubted.stdout).toContain("read after the incident began");
    expect((await succeed("status")).stdout).toContain("prices are 0");
    const pruned = await succeed("vault", "prune", "--dry-run");
    expect(pruned.stdout).toMatch(/^notes {2}nothing expires$/m);
    expect(pruned.stdout).toMatch(/keep +an incident is open since/);
    const drawn = await succeed("timeline", "notes");
    expect(drawn.stdout).toMatch(/^incident +━+$/m);
    expect(drawn.stdout).toMatch(/incident: prices are 0, still open/);
    expect((await succeed("log")).stdout).toMatch(/incident-open +notes +done/);
  });

  it("may begin at another moment than was thought", async () => {
    await succeed("mark", "notes", "release 3");
    await succeed("incident", "open", "notes", "--since", "release 3");
    expect(await plannedPoint()).toBe(ids[2]);
    await succeed("incident", "open", "notes", "--since", wrongSince);
    const { incidents } = await known();
    expect(incidents).toMatchObject([{ service: "notes", since: wrongSince, reason: "prices are 0", closedAt: null }]);
  });

  it("is closed: points expire again, and last is the newest", async () => {
    await succeed("incident", "close", "notes");
    expect(await plannedPoint()).toBe(ids[2]);
    expect((await succeed("vault", "prune", "--dry-run")).stdout).toMatch(/^notes {2}2 points of 3 expire$/m);
    expect((await known()).incidents).toMatchObject([{ closedBy: expect.stringContaining("@") }]);
  });

  it("is implied by a recovery that knows one, and stays until it is closed", async () => {
    const recovered = await succeed("recover", "notes", "--incident", wrongSince, "--yes");
    expect(recovered.stderr).toContain("refloat incident close notes");
    expect(await readFile(`${folder.path}/docs/note`, "utf8")).toBe("good still");
    expect((await known()).incidents).toMatchObject([{ since: wrongSince, closedAt: null }, { since: wrongSince }]);
    const { lines } = await succeed("timeline", "notes", "--since", "1 hour ago", "--json");
    const { points, marks, runs, gaps } = resultEnvelopeSchema("timeline").parse(lines.at(-1)).data;
    expect(points.map(({ id, state }) => [id, state])).toEqual([
      [ids[0], "good"],
      [ids[1], "good"],
      [ids[2], "suspect"],
    ]);
    expect(marks).toMatchObject([{ name: "release 3" }]);
    expect(runs).toMatchObject([{ number: 1, state: "succeeded", changedAt: expect.any(String) }]);
    expect(gaps).toEqual([]);
  });

  it("is known to a copy of the vault, when nothing else is left", async () => {
    const to = [`${folder.path}/copy`, "--to-password-file", `${folder.path}/password`];
    const copied = await succeed("vault", "copy", "--to", ...to, "--init", "--json");
    expect(resultEnvelopeSchema("vault-copy").parse(copied.lines.at(-1)).data.incidents).toBeGreaterThan(0);
    await program.close();
    for (const name of await readdir(folder.path))
      if (!["copy", "password"].includes(name)) await rm(`${folder.path}/${name}`, { recursive: true });
    await mkdir(`${folder.path}/elsewhere`);
    program = refloatInside(`${folder.path}/elsewhere`);
    const glass = ["--vault", `${folder.path}/copy`, "--password-file", `${folder.path}/password`];
    await succeed(...glass, "recover", "notes", "--yes");
    expect(await readFile(`${folder.path}/docs/note`, "utf8")).toBe("good still");
    expect((await succeed(...glass, "timeline", "notes", "--since", "release 3")).stdout).toContain("release 3");
    await succeed(...glass, "incident", "close", "notes");
    expect((await succeed(...glass, "points", "notes")).stdout).not.toContain("suspect");
  });
}, 300_000);
