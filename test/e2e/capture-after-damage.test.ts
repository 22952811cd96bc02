/** Bit rot, and then a capture of what the vault has lost: the new point must rest on nothing that is damaged, locked or not. */
import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, readdir, stat, utimes, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { noise } from "../interop/support/nasty-tree.ts";
import { password } from "../interop/support/restic.ts";
import { canLock } from "./support/can-lock.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

const lockable = await canLock();
const content = noise(300_000, "precious");

let folder: TestFolder;
let program: RefloatInside;
let vault: string;

beforeEach(async () => {
  folder = await createTestFolder("refloat-after-damage");
  vault = `${folder.path}/vault`;
  program = refloatInside(folder.path);
  await mkdir(`${folder.path}/docs`);
  await writeFile(`${folder.path}/docs/big`, content);
  await writeFile(`${folder.path}/password`, password, { mode: 0o600 });
});

afterEach(async () => {
  await program.close();
  if (lockable) await execa("chattr", ["-R", "-f", "-i", vault], { reject: false });
  await folder.remove();
});

const declare = async (lock: string) =>
  writeFile(
    `${folder.path}/refloat.yaml`,
    `vault: { url: ${vault}, password: "\${file:${folder.path}/password}" }
services:
  notes:
    keep: { last: 1 }
${lock}    components:
      docs: { type: files, path: ${folder.path}/docs }
`,
  );

const packs = async () => (await readdir(`${vault}/data`, { recursive: true })).filter((name) => name.length > 60);

/** The largest: that of the file. */
const rotPack = async (): Promise<string> => {
  const sizes = await Promise.all(
    (await packs()).map(async (name) => ({
      path: `${vault}/data/${name}`,
      size: (await stat(`${vault}/data/${name}`)).size,
    })),
  );
  const path = sizes.sort((a, b) => b.size - a.size)[0]?.path ?? "";
  const { atime, mtime } = await stat(path);
  const bytes = await readFile(path);
  bytes[4000] = (bytes[4000] ?? 0) ^ 1;
  if (lockable) await execa("chattr", ["-i", path]);
  await chmod(path, 0o600);
  await writeFile(path, bytes);
  await utimes(path, atime, mtime);
  return path;
};

const capture = async (): Promise<string> =>
  resultEnvelopeSchema("capture").parse((await program.succeed(["capture", "notes", "--json"])).lines.at(-1)).data.id;

const expectRecoverable = async (point: string): Promise<void> => {
  const to = `${folder.path}/extracted-${randomUUID()}`;
  await program.succeed(["extract", `${point}:docs:big`, "--to", to]);
  expect((await readFile(to)).equals(content)).toBe(true);
};

const verify = async (...args: readonly string[]) => {
  const { lines, exit } = await program.run(["verify", "--read-data", "--json", ...args]);
  return { exit, ...resultEnvelopeSchema("verify").parse(lines.at(-1)).data };
};

it("a verification that finds damage names the repair, and the capture after it stores again what was lost", async () => {
  await declare("");
  await program.succeed(["vault", "init"]);
  const first = await capture();
  await rotPack();
  await writeFile(`${folder.path}/docs/big`, "not there at the moment");
  const { stdout } = await program.run(["verify", "--read-data"]);
  expect(stdout).toMatch(/next: refloat verify --read-data --repair$/);
  const repaired = await program.run(["verify", "--read-data", "--repair", "--yes"]);
  expect(repaired.exit).toBe(4);
  expect(repaired.stdout).toMatch(/next: refloat capture notes$/);
  await writeFile(`${folder.path}/docs/big`, content);
  const newest = await capture();
  // What the later point has stored again makes the earlier one whole too.
  expect(await verify()).toMatchObject({ exit: 0, hurt: [] });
  for (const point of [first, newest]) await expectRecoverable(point);
});

describe.skipIf(!lockable)("under a lock", () => {
  it("a damaged pack that stays is counted on by no later point, and goes once its lock is over", async () => {
    await declare("    lock: 30d\n");
    await program.succeed(["vault", "init"]);
    const first = await capture();
    const rotten = await rotPack();
    await execa("chattr", ["+i", rotten]);
    await writeFile(`${folder.path}/docs/big`, "not there at the moment");
    const { repairs } = await verify("--repair", "--yes");
    expect(repairs.map(({ refused }) => refused.length)).toEqual([2]);
    await writeFile(`${folder.path}/docs/big`, content);
    const newest = await capture();
    const after = await verify();
    expect(after).toMatchObject({ exit: 0, hurt: [] });
    expect(after.findings.map(({ severity, object }) => [severity, object.id])).toContainEqual([
      "warning",
      rotten.slice(-64),
    ]);
    for (const point of [first, newest]) await expectRecoverable(point);
    expect((await program.run(["vault", "locks"])).exit).toBe(0);

    // The lock of the damaged pack was not prolonged by the later point, and that of the first point ends.
    await program.close();
    await execa("chattr", ["-R", "-f", "-i", vault]);
    await execa("find", [vault, "-type", "f", "-exec", "touch", "-d", "2001-01-01", "{}", "+"]);
    for (let round = 0; round < 2; round += 1) await program.succeed(["vault", "prune", "--yes", "--now"]);
    expect((await packs()).map((name) => `${vault}/data/${name}`)).not.toContain(rotten);
    expect(await verify()).toMatchObject({ exit: 0, findings: [], hurt: [] });
    await expectRecoverable(newest);
  });
});
