/** Retention as a person meets it: what stays and why, what goes, holds, tags, and what is left is whole. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { password, requireRestic, restic } from "../interop/support/restic.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

requireRestic();

const declaration = (path: string): string => `vault:
  url: ${path}/vault
  password: \${file:${path}/password}
services:
  notes:
    keep: { last: 2, tags: [release] }
    components:
      docs: { type: files, path: ${path}/docs }
`;

describe("vault prune", () => {
  let folder: TestFolder;
  let program: RefloatInside;
  const ids: string[] = [];
  const succeed = (...args: readonly string[]) => program.succeed(args);
  const prune = async (...args: readonly string[]) =>
    resultEnvelopeSchema("vault-prune").parse((await succeed("vault", "prune", "--json", ...args)).lines.at(-1)).data;
  const listed = async () =>
    resultEnvelopeSchema("points").parse((await succeed("points", "notes", "--json")).lines.at(-1)).data;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-vault-prune");
    program = refloatInside(folder.path);
    await writeFile(`${folder.path}/password`, password, { mode: 0o600 });
    await writeFile(`${folder.path}/refloat.yaml`, declaration(folder.path));
    await succeed("vault", "init");
    for (let nth = 0; nth < 5; nth += 1) {
      await rm(`${folder.path}/docs`, { recursive: true, force: true });
      await mkdir(`${folder.path}/docs`);
      await writeFile(`${folder.path}/docs/note`, `note ${nth} `.repeat(1000 + nth));
      const tags = nth === 0 ? ["--tag", "release"] : [];
      const { lines } = await succeed("capture", "notes", "--json", ...tags);
      ids.push(resultEnvelopeSchema("capture").parse(lines.at(-1)).data.id);
    }
  });

  afterAll(async () => {
    await program.close();
    await folder.remove();
  });

  it("keeps what is held, with the reason beside the point", async () => {
    const { stdout } = await succeed("points", "notes", "--hold", ids[1]?.slice(0, 8) ?? "", "--reason", "incident 3");
    expect(stdout).toContain("held: incident 3");
    expect(stdout).toContain("tag release");
    expect((await listed()).holds).toMatchObject([{ point: ids[1], reason: "incident 3" }]);
  });

  it("shows with --dry-run why each point stays or goes, and changes nothing", async () => {
    const { stdout } = await succeed("vault", "prune", "notes", "--dry-run");
    expect(stdout).toMatch(/^notes {2}1 point of 5 expire$/m);
    expect(stdout).toMatch(/keep +newest, the last one whose checks passed, last 1 of 2$/m);
    expect(stdout).toMatch(/keep +held: incident 3$/m);
    expect(stdout).toMatch(/keep +tag release$/m);
    expect(stdout).toMatch(/expire +no rule keeps it$/m);
    expect(stdout).toMatch(/can be given back/);
    expect((await listed()).points).toHaveLength(5);
  });

  it("is refused where nobody can say yes", async () => {
    expect(await program.run(["vault", "prune"])).toMatchObject({ exit: 3 });
    expect((await listed()).points).toHaveLength(5);
  });

  it("lets points expire, and what is left is whole for Refloat and for restic", async () => {
    const { result } = await prune("--yes");
    expect(result).toMatchObject({ expired: [ids[2]], refused: [], report: { removedPacks: 0 } });
    expect(result?.report.waitingBytes).toBeGreaterThan(0);
    expect((await listed()).points.map(({ id, missing }) => [id, missing])).toEqual(
      [4, 3, 1, 0].map((nth) => [ids[nth], []]),
    );
    const second = await prune("--yes", "--now");
    expect(second.result?.report.removedPacks).toBeGreaterThan(0);
    expect(second.result?.report.waitingBytes).toBe(0);
    await succeed("verify", "--read-data");
    await program.close();
    expect(await restic(`${folder.path}/vault`, "check", "--read-data")).toContain("no errors were found");
  });

  it("lets go of what is released", async () => {
    await succeed("points", "notes", "--release", ids[1]?.slice(0, 8) ?? "");
    expect((await prune("--yes", "--now")).result).toMatchObject({ expired: [ids[1]] });
    expect(await program.run(["points", "notes", "--release", ids[0] ?? ""])).toMatchObject({ exit: 2 });
  });

  it("says of a point that restic's forget took away whole how to tell that it was meant", async () => {
    const { lines } = await succeed("capture", "notes", "--json");
    const { id } = resultEnvelopeSchema("capture").parse(lines.at(-1)).data;
    await program.close();
    await restic(`${folder.path}/vault`, "forget", id);
    const missed = await program.run(["verify"]);
    expect(missed.exit).toBe(4);
    expect(missed.stderr).toContain("error vault.damaged: 1 point gone");
    expect(missed.stderr).toContain("--accept-gone records it");
    expect(missed.stderr).not.toContain("--repair");
    expect(missed.stdout).toContain("next: refloat verify --accept-gone");
    await succeed("verify", "--accept-gone", "--yes");
    await succeed("verify");
  });

  it("shows a point that lost a member to restic's forget as damaged", async () => {
    const { points } = await listed();
    await program.close();
    const member = points[0]?.manifest.components["docs"]?.snapshot ?? "";
    await restic(`${folder.path}/vault`, "forget", "--prune", member);
    expect((await listed()).points[0]?.missing).toEqual(["docs"]);
    expect((await succeed("points", "notes")).stdout).toContain("damaged: docs lost");
    expect((await program.run(["status"])).stdout).toContain("docs");
  });
});
