/** Plans beside each other, and a plan that no longer fits the world: refused with what has changed, before anything is begun. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

describe("plans beside each other", () => {
  let folder: string;
  let refloat: RefloatProgram;

  const declare = (...more: readonly string[]) =>
    writeFile(
      join(folder, "refloat.yaml"),
      [
        `vault: { url: ${folder}/vault, password: "\${file:${folder}/password}" }`,
        "services:",
        "  notes:",
        "    components:",
        `      docs: { type: files, path: ${folder}/docs }`,
        ...more,
        "",
      ].join("\n"),
    );

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-plan-diff-"));
    await mkdir(join(folder, "docs"));
    await writeFile(join(folder, "docs/note"), "first");
    await writeFile(join(folder, "password"), "correct horse", { mode: 0o600 });
    await declare();
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  const capture = async (): Promise<string> => {
    const { lines } = await refloat.succeed(["capture", "notes", "--json"]);
    return resultEnvelopeSchema("capture").parse(lines.at(-1)).data.id.slice(0, 8);
  };
  const plan = async (...words: readonly string[]): Promise<string> => {
    const { lines } = await refloat.succeed(["plan", "notes", ...words, "--json"]);
    return resultEnvelopeSchema("plan").parse(lines.at(-1)).data.digest.slice(0, 8);
  };
  const diff = async (...words: readonly string[]) => {
    const { lines } = await refloat.succeed(["plan", "notes", ...words, "--json"]);
    return resultEnvelopeSchema("plan-diff").parse(lines.at(-1)).data;
  };

  it("are told apart by what is done, and refused when they no longer fit", { timeout: 300_000 }, async () => {
    const first = await capture();
    const shown = await plan();
    expect(await diff("--diff", shown)).toMatchObject({ shown: true, diff: { same: true, steps: [], subject: [] } });

    await declare("    manual: [{ name: Tell the customers, do: Write to them. }]");
    const grown = await diff("--diff", shown);
    expect(grown.diff).toMatchObject({ same: false, subject: [] });
    expect(grown.diff.declaration.map(({ what }) => what)).toEqual(["manual"]);
    expect(grown.diff.steps).toMatchObject([
      { step: "manual:tell-the-customers", change: "added" },
      { step: "switch:docs", change: "changed", parts: ["needs"] },
    ]);
    const refused = await refloat.run(["recover", "--plan", shown]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain(
      `error plan.outdated: plan ${shown} no longer fits: the declaration's manual was nothing`,
    );
    expect(refused.stderr).toContain("manual:tell-the-customers is needed now");
    expect(refused.stderr).toContain("state: nothing was begun");
    expect(refused.stderr).toContain(`next: refloat plan notes --diff ${shown}`);
    expect((await refloat.succeed(["runs"])).stdout).not.toContain("notes");

    await declare();
    await writeFile(join(folder, "docs/note"), "second");
    const second = await capture();
    // What was asked for was the newest, which is another one now; the plan itself still fits.
    expect((await diff("--diff", shown)).diff.subject.map(({ what }) => what)).toContain("point.id");
    const text = (await refloat.succeed(["plan", "notes", "--at", second, "--diff", first])).stdout;
    expect(text).toMatch(new RegExp(`^FROM +plan [0-9a-f]{8} of .*, point ${first}`, "m"));
    expect(text).toMatch(new RegExp(`^TO +plan [0-9a-f]{8} of .*, point ${second}`, "m"));
    expect(text.replaceAll(/\s+/g, " ")).toMatch(new RegExp(`point\\.id: ${first}[0-9a-f]* > ${second}`));
    expect((await refloat.run(["plan", "notes", "--diff", "no such time"])).exit).toBe(2);

    await declare("    keep: { last: 1 }");
    await refloat.succeed(["vault", "prune", "--yes", "--now"]);
    const gone = await refloat.run(["recover", "--plan", shown]);
    expect(gone.exit).toBe(3);
    expect(gone.stderr).toContain(`plan ${shown} no longer fits: its point ${first} is no longer in the vault`);
    expect(await readFile(join(folder, "docs/note"), "utf8")).toBe("second");

    await writeFile(join(folder, "docs/note"), "damaged");
    await refloat.succeed(["recover", "--plan", await plan("--at", second)]);
    expect(await readFile(join(folder, "docs/note"), "utf8")).toBe("second");
  });
});
