/** Words for moments, from the mark before an upgrade to the recovery: also where only the vault, or a copy of it, is left. */
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

const declaration = (path: string, port: number): string => `vault:
  url: ${path}/vault
  password: \${file:${path}/password}
services:
  notes:
    components:
      docs: { type: files, path: ${path}/docs }
  held:
    quiesce: { freeze: touch ${path}/held, thaw: test -e ${path}/mended && rm -f ${path}/held, atMost: 10m }
    components:
      down: { type: postgres-cluster, data: ${path}/none, url: "postgresql://nobody@127.0.0.1:${port}/postgres", ports: ${port}-${port + 3} }
`;

describe("marks", () => {
  let folder: TestFolder;
  let program: RefloatInside;
  const ids: string[] = [];
  const succeed = (...args: readonly string[]) => program.succeed(args);
  const write = (content: string) => writeFile(`${folder.path}/docs/note`, content);
  const capture = async (): Promise<string> => {
    const { lines } = await succeed("capture", "notes", "--json");
    const { id } = resultEnvelopeSchema("capture").parse(lines.at(-1)).data;
    ids.push(id);
    return id;
  };
  const planned = async (at: string, from = program, ...more: readonly string[]) => {
    const { lines } = await from.succeed([...more, "plan", "notes", "--at", at, "--json"]);
    const { intent, forecast } = resultEnvelopeSchema("plan").parse(lines.at(-1)).data;
    return { point: intent.point?.id, chosen: forecast.chosen };
  };

  beforeAll(async () => {
    folder = await createTestFolder("refloat-mark-words");
    program = refloatInside(folder.path);
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
    await writeFile(`${folder.path}/refloat.yaml`, declaration(folder.path, await findFreePort(4)));
    await mkdir(`${folder.path}/docs`);
    await succeed("vault", "init");
    await write("as it was");
    await capture();
  });

  afterAll(async () => {
    await program.close();
    await folder.remove();
  });

  it("are made, listed, shown between the points and in the log", async () => {
    const { lines } = await succeed("mark", "notes", "upgrade", "2.5.0", "--json");
    const { added } = resultEnvelopeSchema("mark").parse(lines.at(-1)).data;
    expect(added).toMatchObject({ service: "notes", name: "upgrade 2.5.0" });
    await write("as the upgrade left it");
    await capture();
    expect((await succeed("points", "notes")).stdout).toMatch(/▲ +[\d:]+ +upgrade 2\.5\.0/);
    const { marks } = resultEnvelopeSchema("points").parse(
      (await succeed("points", "notes", "--json")).lines.at(-1),
    ).data;
    expect(marks).toEqual([added]);
    expect((await succeed("mark", "notes")).stdout).toContain("upgrade 2.5.0");
    expect((await succeed("log")).stdout).toMatch(/mark +notes +done/);
  });

  it("are refused under names that would be read as something else", async () => {
    for (const name of ["14:05", "run 42", "mark this", "x".repeat(101)]) {
      const { exit, stderr } = await program.run(["mark", "notes", name]);
      expect({ name, exit, stderr }).toMatchObject({ exit: 2, stderr: expect.stringContaining("error mark.unfit") });
    }
    expect(await program.run(["mark", "notes", "later", "--at", "tomorrow 9:00"])).toMatchObject({ exit: 2 });
    expect(await program.run(["mark", "nobody", "later"])).toMatchObject({ exit: 2 });
  });

  it("that cannot be aligned say so, and first of all when the service may still be frozen", async () => {
    const notPlaced = "nothing was marked: no marker could be placed in the log of down: ";
    const stuck = await program.run(["mark", "held", "evening", "--aligned"]);
    expect(stuck).toMatchObject({ exit: 6, stderr: expect.stringContaining("held may still be frozen: thaw: ") });
    expect(stuck.stderr).toContain(notPlaced);
    expect(stuck.stderr).toContain("next: refloat capture held");
    await writeFile(`${folder.path}/mended`, "");
    const thawed = await program.run(["mark", "held", "evening", "--aligned"]);
    expect(thawed).toMatchObject({ exit: 4, stderr: expect.stringContaining("error source.unreachable") });
    expect(existsSync(`${folder.path}/held`)).toBe(false);
    expect(
      resultEnvelopeSchema("mark").parse((await succeed("mark", "held", "--json")).lines.at(-1)).data,
    ).toMatchObject({ marks: [] });
  });

  it("lead a plan to the last point before them, and unknown ones to those there are", async () => {
    expect(await planned('before "upgrade 2.5.0"')).toMatchObject({
      point: ids[0],
      chosen: { kind: "mark", name: "upgrade 2.5.0" },
    });
    expect((await succeed("plan", "notes", "--at", "before upgrade 2.5.0")).stdout).toMatch(
      /^Plan .*the last before mark "upgrade 2\.5\.0" \(/,
    );
    expect((await program.run(["plan", "notes", "--at", "upgrade 2.5.0"])).stderr).toContain(
      "next: refloat plan notes --at 'before upgrade 2.5.0'",
    );
    const { exit, stderr } = await program.run(["plan", "notes", "--at", "before upgrade 2.5.1"]);
    expect({ exit, stderr }).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('did you mean "upgrade 2.5.0"'),
    });
  });

  it("go with words for what was verified and for runs", async () => {
    expect(await program.run(["plan", "notes", "--at", "last verified"])).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("next: refloat verify --read-data"),
    });
    await succeed("verify", "--read-data");
    expect(await planned("last verified")).toMatchObject({ point: ids[1], chosen: { kind: "verified" } });
    await succeed("recover", "notes", "--at", "before upgrade 2.5.0", "--yes");
    expect(await readFile(`${folder.path}/docs/note`, "utf8")).toBe("as it was");
    await capture();
    expect(await planned("before run 1")).toMatchObject({
      point: ids[1],
      chosen: { kind: "run", run: 1, changed: true },
    });
    expect(await program.run(["plan", "notes", "--at", "before run 7"])).toMatchObject({ exit: 2 });
  });

  it("are in the vault and in a copy of it, and so are runs in the vault, when nothing else is left", async () => {
    await succeed(
      "vault",
      "copy",
      "--to",
      `${folder.path}/copy`,
      "--to-password-file",
      `${folder.path}/password`,
      "--init",
    );
    const { lines } = await succeed("mark", "notes", "after the copy", "--json");
    const { added } = resultEnvelopeSchema("mark").parse(lines.at(-1)).data;
    const again = await succeed("vault", "copy", "--to", `${folder.path}/copy`, "--json");
    expect(resultEnvelopeSchema("vault-copy").parse(again.lines.at(-1)).data).toMatchObject({ marks: 1, holds: 0 });
    await program.close();
    const runs = { vault: [["before run 1", ids[1]]], copy: [] } as const;
    for (const gone of ["refloat.yaml", "state"]) await rm(`${folder.path}/${gone}`, { recursive: true });
    for (const vault of ["vault", "copy"] as const) {
      for (const name of await readdir(folder.path))
        if (name.includes("docs")) await rm(`${folder.path}/${name}`, { recursive: true });
      const elsewhere = `${folder.path}/elsewhere-${vault}`;
      await mkdir(elsewhere);
      const other = refloatInside(elsewhere);
      const glass = ["--vault", `${folder.path}/${vault}`, "--password-file", `${folder.path}/password`];
      try {
        expect(await planned("before upgrade 2.5.0", other, ...glass)).toMatchObject({ point: ids[0] });
        expect((await other.succeed([...glass, "points", "notes"])).stdout).toContain("upgrade 2.5.0");
        for (const [at, point] of runs[vault]) expect(await planned(at, other, ...glass)).toMatchObject({ point });
        const removed = await other.succeed([
          ...glass,
          "mark",
          "notes",
          "--remove",
          added?.id.slice(0, 8) ?? "",
          "--json",
        ]);
        expect(resultEnvelopeSchema("mark").parse(removed.lines.at(-1)).data).toMatchObject({
          removed: { id: added?.id },
          marks: [{ name: "upgrade 2.5.0" }],
        });
        await other.succeed([...glass, "recover", "notes", "--at", "before upgrade 2.5.0", "--yes"]);
        expect(await readFile(`${folder.path}/docs/note`, "utf8")).toBe("as it was");
      } finally {
        await other.close();
      }
    }
  });
}, 300_000);
