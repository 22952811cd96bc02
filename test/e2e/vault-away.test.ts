/** A vault whose disk is not mounted, and a password that is not the vault's: what a person is told who meets them. */
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { declareIn } from "./support/declare.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let refloat: RefloatProgram;
let id: string;

const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-away-"));
  await mkdir(at("docs"));
  await writeFile(at("docs/a.txt"), "first");
  await declareIn(folder, `services:\n  notes:\n    components:\n      docs: { type: files, path: "${at("docs")}" }\n`);
  refloat = refloatIn(folder);
  const made = await refloat.succeed(["vault", "init", "--json"]);
  id = /"id":"([0-9a-f]{8})/.exec(made.stdout)?.[1] ?? "no id";
  await refloat.succeed(["capture", "notes"]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a vault whose disk is not mounted", () => {
  beforeAll(() => rename(at("vault"), at("disk")));
  afterAll(async () => {
    await rm(at("vault"), { recursive: true, force: true });
    await rename(at("disk"), at("vault"));
  });

  test.each(["absent", "empty"])("is missed by every command where its folder is %s", async (state) => {
    if (state === "empty") await mkdir(at("vault"));
    for (const words of [["points"], ["capture", "notes"], ["vault", "keys"], ["vault", "init"]]) {
      const ended = await refloat.run(words);
      expect(ended.exit).toBe(3);
      expect(ended.stderr).toContain(`error vault.away: vault ${id} was at ${at("vault")} on `);
      expect(ended.stderr).toContain("its disk is probably not mounted: mount it; only if it is lost for good");
      expect(ended.stderr).toMatch(/^next: refloat status$/m);
    }
    expect(await readdir(folder)).toEqual(
      ["disk", "docs", "password", "refloat.yaml", "state", ...(state === "empty" ? ["vault"] : [])].sort(),
    );
    expect((await refloat.run(["status"])).stdout).toContain(`VAULT: vault ${id} was at`);
  });

  test("is no reason to make a copy anew either, whose own disk is not mounted", async () => {
    await rm(at("vault"), { recursive: true, force: true });
    await rename(at("disk"), at("vault"));
    await refloat.succeed(["vault", "copy", "--to", at("copy"), "--init"]);
    await rename(at("copy"), at("copy-disk"));
    for (const flags of [[], ["--init"]]) {
      const ended = await refloat.run(["vault", "copy", "--to", at("copy"), ...flags]);
      expect(ended.exit).toBe(3);
      expect(ended.stderr).toMatch(
        /error vault\.away: [^]*: refloat vault copy --to \S+ --init --in-place-of [0-9a-f]{8}$/m,
      );
    }
    await expect(access(at("copy"))).rejects.toMatchObject({ code: "ENOENT" });
    expect((await refloat.run(["vault", "copy", "--to", at("copy"), "--in-place-of", id])).exit).toBe(2);
    await rename(at("copy-disk"), at("copy"));
    await refloat.succeed(["vault", "copy", "--to", at("copy")]);
    await rename(at("vault"), at("disk"));
  });

  test("is replaced by a new one only when it is given up by its id", async () => {
    const wrong = await refloat.run(["vault", "init", "--in-place-of", "00000000"]);
    expect(wrong.exit).toBe(2);
    expect(wrong.stderr).toContain(`the vault that was at ${at("vault")} is ${id}, not 00000000`);
    await refloat.succeed(["vault", "init", "--in-place-of", id]);
    const made = await refloat.succeed(["points", "notes"]);
    expect(made.stdout).toContain("notes has no recovery point yet");
  });
});

describe("a wrong password", () => {
  test("is told by the file that it stands in, and by where that is named", async () => {
    const ended = await refloat.run(["points"]);
    expect(ended.exit).toBe(0);
    const wrong = "wrong-secret ";
    await writeFile(at("password"), `${wrong}\n`);
    for (const words of [["points"], ["vault", "keys"]]) {
      const refused = await refloat.run(words);
      expect(refused.exit).toBe(3);
      expect(refused.stderr).toContain(`the password in ${at("password")} opens no key of the vault at ${at("vault")}`);
      expect(refused.stderr).toContain("hint: it begins or ends with a blank; any of the vault's passwords");
      expect(refused.stderr).toContain(`(vault.password, ${at("refloat.yaml")}:3:13)`);
      expect(refused.stderr).toMatch(/^next: refloat validate --live$/m);
      expect(refused.stderr).not.toContain("wrong-secret");
    }
    const broken = await refloat.run(["--vault", at("vault"), "points"], { REFLOAT_PASSWORD: "no" });
    expect(broken.stderr).toContain("the password in REFLOAT_PASSWORD opens no key");
    const file = await refloat.run(["--vault", at("vault"), "--password-file", at("password"), "points"]);
    expect(file.stderr).toContain(`the password in ${at("password")} opens no key`);
  });
});
