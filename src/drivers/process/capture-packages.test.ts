/** Capture of packages from this machine's own dpkg into a real vault: what lies beside the release, made once, and what is said. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ComponentDriver, DriverContext } from "../../core/ports/driver.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { createRepository } from "../../vault/repository/create-repository.ts";
import { processBundle } from "./process-bundle.ts";

const [driver] = processBundle.components as [ComponentDriver];
let folder: TestFolder;
let vault: Awaited<ReturnType<typeof createRepository>>;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await createTestFolder("refloat-capture-packages");
  await mkdir(at("release"));
  await writeFile(at("release/server"), "1");
  vault = await createRepository(at("vault"), "password", { clock: systemClock });
});
afterEach(async () => {
  await vault.close();
  await folder.remove();
});

const contextOf = (packages?: "captured"): DriverContext =>
  createTestContext({
    options: {
      release: at("release"),
      start: "exec sleep 60",
      ports: 1,
      ...(packages === undefined ? {} : { packages }),
    },
    folder: folder.path,
  });

const capture = async (context: DriverContext, parent: SnapshotId | null = null) => {
  const begun = { hostname: "test", time: new Date(), tags: [], paths: ["/app"] };
  const writer = await vault.beginSnapshot({ ...begun, ...(parent === null ? {} : { parent }) });
  const report = await driver.capture(context, writer, null);
  const { id, newBytes } = await writer.commit();
  return { report, id, newBytes, archives: report.fingerprint?.archives ?? [] };
};

describe("packages of an application", { timeout: 180_000 }, () => {
  it("lie beside its release, with all that they need, and are made and stored once", async () => {
    const first = await capture(contextOf("captured"));
    const names = first.archives.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["coreutils", "libc6"]));
    // Only root reads all of every package; what is without an archive is named.
    for (const one of first.archives) {
      const told = first.report.warnings.some((line) => line.includes(` ${one.name} ${one.version} (`));
      expect([one.name, one.archive === undefined]).toEqual([one.name, told]);
    }
    const reader = await vault.openSnapshot(first.id);
    const coreutils = first.archives.find(({ name }) => name === "coreutils");
    const content = await reader.read(coreutils?.archive?.file ?? "");
    expect(createHash("sha256").update(content).digest("hex")).toBe(coreutils?.archive?.sha256);
    await writeFile(at("coreutils.deb"), content);
    const { stdout } = await execa("dpkg-deb", ["--field", at("coreutils.deb"), "Package", "Version"]);
    expect(stdout).toBe(`Package: coreutils\nVersion: ${coreutils?.version ?? ""}`);
    // A restore of the release brings none of it.
    await reader.extract(first.report.path, at("restored"), new AbortController().signal);
    expect(await readdir(at("restored"))).toEqual(["server"]);

    const made = join(folder.path, "packages");
    const times = async () =>
      Promise.all(
        (await readdir(made)).toSorted().map(async (name) => `${name} ${(await stat(join(made, name))).mtimeMs}`),
      );
    const before = await times();
    await writeFile(join(made, "left_1.0_amd64.deb"), "of a package that is used no more");
    const second = await capture(contextOf("captured"), first.id);
    expect(await times()).toEqual(before);
    expect(second.archives).toEqual(first.archives);
    expect(second.newBytes).toBeLessThan(first.newBytes / 20);
    // What was damaged on this machine is made again, and never stored.
    await writeFile(join(made, before[0]?.split(" ")[0] ?? ""), "damaged");
    const third = await capture(contextOf("captured"), second.id);
    expect(third.archives).toEqual(first.archives);
  });

  it("are no help for a program that no package owns, which is named unless it lies in the release", async () => {
    const warned = async (program: string) => {
      await copyFile("/bin/sleep", program);
      const context = contextOf("captured");
      const { report } = await capture({
        ...context,
        options: { ...(context.options as object), start: `exec ${program} 60` },
      });
      return report.warnings.filter((line) => line.startsWith("no package owns"));
    };
    const byHand = at("tool-1.2");
    expect(await warned(byHand)).toEqual([expect.stringMatching(`^no package owns ${byHand}: not in the point`)]);
    expect(await warned(at("release/tool-1.2"))).toEqual([]);
  });

  it("are not captured unless that is asked for, and that dpkg is not there is said", async () => {
    const plain = await capture(contextOf());
    expect(plain.report.fingerprint?.archives).toBeUndefined();
    const { PATH } = process.env;
    process.env["PATH"] = folder.path;
    try {
      await rm(at("packages"), { recursive: true, force: true });
      const without = await capture(contextOf("captured"));
      expect(without.archives).toEqual([]);
      expect(without.report.warnings).toEqual(
        expect.arrayContaining([expect.stringContaining("no packages are captured")]),
      );
    } finally {
      process.env["PATH"] = PATH;
    }
  });

  it("are said by its preflight, with what will be run", async () => {
    const { findings, commands } = await driver.preflight(contextOf("captured"));
    expect(findings.find(({ subject }) => subject === "packages")).toMatchObject({
      ok: true,
      found: expect.stringMatching(
        /^dpkg knows [\d,]+ packages, of which those that the application uses are captured/,
      ),
    });
    expect(commands).toContain("dpkg --verify PACKAGE");
    expect((await driver.preflight(contextOf())).commands).not.toContain("dpkg --verify PACKAGE");
  });
});
