/** Provision of packages by a real dpkg, into systems of a folder each: what is installed, left, refused, finished and removed. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import type { PackageArchive } from "../../model/fingerprint.ts";
import { readPackages } from "../../platform/packages/package-database.ts";
import { findByEnvironment, signalProcess } from "../../platform/process-table.ts";
import {
  type TestContextOptions,
  type TestFolder,
  createTestContext,
  createTestFolder,
} from "../../testing/driver-context.ts";
import { canMountImages, mountImage } from "../../testing/loop-mount.ts";
import { type PackageSpec, buildPackage, createPackageRoot, runDpkg } from "../../testing/package-root.ts";
import { archiveInPoint, bringShell, pointOf, release } from "../../testing/packages-bench.ts";
import type { ProvisionAct } from "../../testing/provision-act-program.ts";
import { describeProvisionContract } from "../../testing/provision-contract.ts";
import { packagesProvision } from "./packages-provision.ts";
import type { PackagesContext, PackagesOptions } from "./packages-options.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write("SKIPPED: packages are installed by root alone\n");
const driver: ProvisionDriver<PackagesOptions> = packagesProvision;
const owner = { run: 42, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0042" };
const { signal } = new AbortController();

const installedIn = async (root: string): Promise<readonly string[]> =>
  (await readPackages({ root, signal })).map(({ name, version, status }) => `${name} ${version} ${status}`);

describe.skipIf(!isRoot)("by the contract", () => {
  describeProvisionContract({
    type: "packages",
    declare: async (folder) => ({
      of: ["app"],
      root: await createPackageRoot(join(folder, "root"), release),
    }),
    point: async (folder) =>
      pointOf(folder, [
        await archiveInPoint(folder, { name: "liba", version: "1.0", preDepends: "libb (>= 1)" }),
        await archiveInPoint(folder, {
          name: "libb",
          version: "2.0",
          files: { "/etc/b.conf": "b" },
          conffiles: ["/etc/b.conf"],
        }),
      ]),
    count: async ({ stateDirectory }) =>
      (await installedIn(join(stateDirectory, "root"))).includes("liba 1.0 installed") ? 1 : 0,
    killable: { leastPoints: 5, remove: true },
  });
});

let folder: TestFolder;
let root: string;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await createTestFolder("refloat-packages");
  root = await createPackageRoot(at("root"), release);
});
afterEach(async () => {
  for (const left of findByEnvironment({ REFLOAT_STATE: folder.path })) signalProcess(left, "SIGKILL");
  await folder.remove();
});

type Given = {
  readonly archives: readonly PackageArchive[];
  readonly options?: Partial<PackagesOptions>;
  readonly os?: { readonly id: string; readonly version: string };
};

const givenOf = ({ archives, options, os }: Given): TestContextOptions<PackagesOptions> => ({
  options: { of: ["app"], root, ...options },
  folder: folder.path,
  component: "libraries",
  point: pointOf(folder.path, archives, os),
});
const contextOf = (given: Given): PackagesContext => createTestContext(givenOf(given));
const captured = (spec: PackageSpec): Promise<PackageArchive> => archiveInPoint(folder.path, spec);
const installed = async (spec: PackageSpec): Promise<void> => {
  await mkdir(at("here"), { recursive: true });
  await runDpkg(root, "--install", await buildPackage(at("here"), spec));
};

describe.skipIf(!isRoot)("what is installed", { timeout: 60_000 }, () => {
  it("is what is missing, as the plan has named it; what is there in another version stays", async () => {
    await installed({ name: "newer", version: "3.0" });
    await installed({ name: "older", version: "1.0" });
    const lacking = { ...(await captured({ name: "gone", version: "1.0" })), lacking: "no registry has it" };
    const { archive: _archive, ...without } = lacking;
    const archives = [
      await captured({ name: "newer", version: "2.0" }),
      await captured({ name: "older", version: "2.0" }),
      await captured({ name: "wanted", version: "1:1.0-1" }),
      without,
    ];
    const context = contextOf({ archives });
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    const { what, detail, settles } = await driver.preview(context);
    expect(what).toBe(`installs by dpkg into ${root}: wanted 1:1.0-1`);
    expect(detail).toEqual([
      expect.stringMatching(/^install wanted 1:1\.0-1 \(amd64\), \S+ \S+, made again of its files$/),
      "leave newer 3.0, of which the point has 2.0",
      "leave older 1.0, of which the point has 2.0",
      "not there, and not in the point: gone 1.0 (amd64): no registry has it",
      "their scripts are run as root, as in any installation",
    ]);
    // Of another system it settles nothing that this machine lacks.
    expect(settles).toEqual([]);
    expect(await driver.apply(context, owner)).toEqual({ summary: "installed wanted 1:1.0-1" });
    expect(await installedIn(root)).toEqual(["newer 3.0 installed", "older 1.0 installed", "wanted 1:1.0-1 installed"]);
    expect(await driver.inspect(context)).toMatchObject({
      presence: "done",
      owner,
      found:
        "3 packages there; left as they are: newer 3.0 in place of 2.0 and older 1.0 in place of 2.0; not there, and the point has no archive of gone 1.0 (amd64)",
    });
    await driver.destroy(context, owner);
    expect(await installedIn(root)).toEqual(["newer 3.0 installed", "older 1.0 installed"]);
  });

  it("replaces what is older, or newer, only where the entry says so, and takes none of that back", async () => {
    await installed({ name: "newer", version: "3.0" });
    await installed({ name: "older", version: "1.0" });
    const archives = [
      await captured({ name: "newer", version: "2.0" }),
      await captured({ name: "older", version: "2.0" }),
    ];
    expect(await driver.inspect(contextOf({ archives }))).toMatchObject({ presence: "done", owner: null });
    const older = contextOf({ archives, options: { replace: "older" } });
    expect((await driver.preview(older)).detail[0]).toMatch(/^replace older 1\.0 by older 2\.0 \(amd64\)/);
    await driver.apply(older, owner);
    expect(await installedIn(root)).toEqual(["newer 3.0 installed", "older 2.0 installed"]);
    const any = contextOf({ archives, options: { replace: "any" } });
    expect(await driver.inspect(any)).toEqual({ presence: "absent" });
    await driver.apply(any, owner);
    await driver.destroy(any, owner);
    expect(await installedIn(root)).toEqual(["newer 2.0 installed", "older 2.0 installed"]);
  });

  it("comes in stages where something has to be configured before something else is unpacked", async () => {
    const archives = [
      await captured({ name: "apythond", version: "1.0", depends: "python", preDepends: "bpython-minimal (= 1.0)" }),
      await captured({ name: "bpython-minimal", version: "1.0", preDepends: "cpython-minimal", depends: "zlib" }),
      await captured({ name: "cpython-minimal", version: "1.0", depends: "libz | none" }),
      await captured({ name: "python", version: "1.0", preDepends: "bpython-minimal" }),
      await captured({ name: "zlib", version: "1.0", provides: "libz" }),
    ];
    const context = contextOf({ archives });
    await driver.apply(context, owner);
    expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner, found: "5 packages there" });
    await driver.destroy(context, owner);
    expect(await installedIn(root)).toEqual([]);
  });

  it("is nothing where all is there, and nothing without a point", async () => {
    await installed({ name: "liba", version: "1.0" });
    const archives = [await captured({ name: "liba", version: "1.0" })];
    expect(await driver.inspect(contextOf({ archives }))).toEqual({
      presence: "done",
      owner: null,
      found: "1 package there",
    });
    const { point: _point, ...without } = givenOf({ archives });
    expect(await driver.inspect(createTestContext(without))).toMatchObject({ presence: "done", owner: null });
  });
});

describe.skipIf(!isRoot)("what is refused", { timeout: 60_000 }, () => {
  it.each([
    ["another release", { os: { id: "debian", version: "13" } }, {}, "the packages are of debian 13, and"],
    ["another architecture", {}, { architecture: "sparc" }, "liba:sparc is of sparc, and"],
    ["a need that nobody meets", {}, { depends: "libz (>= 2) | liby" }, "liba 1.0 (amd64) needs libz (>= 2) or liby"],
  ])("is %s, in the plan", async (_name, given, spec, message) => {
    const archives = [await captured({ name: "liba", version: "1.0", ...spec })];
    const context = contextOf({ archives, ...given });
    await expect(driver.preview(context)).rejects.toMatchObject({
      code: "plan.impossible",
      message: expect.stringContaining(message),
    });
    await expect(driver.apply(context, owner)).rejects.toMatchObject({ code: "plan.impossible" });
    expect(await installedIn(root)).toEqual([]);
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
  });

  it("is a replacement that would take from another package what it needs", async () => {
    await installed({ name: "liba", version: "3.0" });
    await installed({ name: "user", version: "1.0", depends: "liba (>= 3)" });
    const context = contextOf({
      archives: [await captured({ name: "liba", version: "2.0" })],
      options: { replace: "any" },
    });
    await expect(driver.preview(context)).rejects.toMatchObject({
      message: "libraries cannot be installed: user 1.0 (amd64) needs liba (>= 3)",
    });
  });

  it.each([
    ["what comes would take the place of", {}, { conflicts: "agent", replaces: "agent" }],
    ["what is there does not bear beside it", { conflicts: "exim (>= 1)" }, {}],
  ])("is a package that %s, which dpkg would have removed, or refused in the middle", async (_name, there, comes) => {
    await installed({ name: "agent", version: "1.0", ...there });
    const context = contextOf({ archives: [await captured({ name: "exim", version: "1.0", ...comes })] });
    const refusal = {
      code: "plan.impossible",
      message: expect.stringMatching(/cannot be installed: \S+ 1\.0 \(amd64\) may not be beside \S+ 1\.0/) as string,
      hint: expect.stringContaining("remove it by hand") as string,
    };
    await expect(driver.preview(context)).rejects.toMatchObject(refusal);
    await expect(driver.apply(context, owner)).rejects.toMatchObject(refusal);
    expect(await installedIn(root)).toEqual(["agent 1.0 installed"]);
    expect(existsSync(join(root, "usr/share/agent/file"))).toBe(true);
  });

  it("is an archive that is not the captured one, or another package's", async () => {
    const good = await captured({ name: "liba", version: "1.0" });
    const path = join(at("point"), good.archive?.file ?? "");
    const other = await captured({ name: "evil", version: "1.0" });
    const renamed = { ...other, name: "liba" };
    await expect(driver.apply(contextOf({ archives: [renamed] }), owner)).rejects.toMatchObject({
      code: "vault.damaged",
      message: "the archive of liba 1.0 (amd64) in the point is one of evil 1.0 (amd64)",
    });
    await writeFile(path, "!<arch>\n");
    await expect(driver.apply(contextOf({ archives: [good] }), owner)).rejects.toMatchObject({ code: "vault.damaged" });
    expect(await installedIn(root)).toEqual([]);
    // Nothing had been begun.
    expect(await driver.inspect(contextOf({ archives: [good] }))).toEqual({ presence: "absent" });
  });
});

const program = fileURLToPath(new URL("../../testing/provision-act-program.ts", import.meta.url));

/** Begins to install in a process of its own, which is killed once `until` says so. */
const killedApply = async (given: Given, until: () => Promise<boolean>): Promise<void> => {
  const request: ProvisionAct = {
    type: "packages",
    context: givenOf(given),
    act: "apply",
    owner,
    marker: "refloat/42/x/1",
  };
  await writeFile(at("request.json"), JSON.stringify(request));
  const child = spawn(process.execPath, [program, at("request.json")], { stdio: ["ignore", "inherit", "inherit"] });
  const ended = once(child, "exit");
  while (child.exitCode === null && !(await until())) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGKILL");
  expect(await ended).toEqual([null, "SIGKILL"]);
};

const endDpkg = async (): Promise<void> => {
  const own = () => findByEnvironment({ REFLOAT_STATE: folder.path });
  for (const one of own()) signalProcess(one, "SIGKILL");
  while (own().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Its script waits for /go inside, and writes down that it ran. */
const waiting = (script: "preinst" | "postinst"): Promise<PackageArchive> =>
  captured({
    name: "slow",
    version: "1.0",
    scripts: { [script]: `#!/bin/sh\necho begun >> /ran\nwhile [ ! -e /go ]; do sleep 0.05; done\necho ran >> /ran\n` },
  });

describe.skipIf(!isRoot)("an installation whose Refloat is killed", { timeout: 120_000 }, () => {
  beforeEach(() => bringShell(root));
  const ran = async () => (await readFile(join(root, "ran"), "utf8").catch(() => "")).trim().split("\n");
  const hasBegun = async () => existsSync(join(root, "ran"));

  it("goes on to its end by itself, is waited for, and is not made again", async () => {
    const given = { archives: [await captured({ name: "liba", version: "1.0" }), await waiting("postinst")] };
    await killedApply(given, hasBegun);
    setTimeout(() => void writeFile(join(root, "go"), ""), 300);
    expect(await driver.inspect(contextOf(given))).toMatchObject({ presence: "done", owner });
    expect(await ran()).toEqual(["begun", "ran"]);
    await driver.destroy(contextOf(given), owner);
    expect(await installedIn(root)).toEqual([]);
  });

  it.each([
    ["postinst", "half-configured", ["begun", "begun", "ran"]],
    ["preinst", "half-installed", ["begun", "begun", "ran"]],
  ] as const)("and its dpkg with it, in a %s, is found half there and finished", async (script, status, lines) => {
    const given = { archives: [await captured({ name: "liba", version: "1.0" }), await waiting(script)] };
    await killedApply(given, hasBegun);
    await endDpkg();
    expect((await installedIn(root)).find((line) => line.startsWith("slow"))).toContain(status);
    const context = contextOf(given);
    expect(await driver.inspect(context)).toMatchObject({ presence: "partial", owner });
    const other = { ...owner, runUid: "other" };
    await expect(driver.finish?.(context, other)).rejects.toMatchObject({ code: "instance.exists" });
    await writeFile(join(root, "go"), "");
    await driver.finish?.(context, owner);
    expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner });
    expect(await installedIn(root)).toEqual(["liba 1.0 installed", "slow 1.0 installed"]);
    expect(await ran()).toEqual(lines);
  });

  it("and its dpkg with it, is taken away whole by who cancels", async () => {
    const given = { archives: [await captured({ name: "liba", version: "1.0" }), await waiting("preinst")] };
    await killedApply(given, hasBegun);
    await endDpkg();
    const context = contextOf(given);
    await driver.destroy(context, owner);
    expect(await installedIn(root)).toEqual([]);
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
  });

  it("is none of ours where nobody knows who began it: the plan is told so", async () => {
    const archive = await captured({ name: "liba", version: "1.0" });
    await runDpkg(root, "--unpack", join(at("point"), archive.archive?.file ?? ""));
    expect(await driver.inspect(contextOf({ archives: [archive] }))).toEqual({
      presence: "partial",
      owner: null,
      found: "liba 1.0 (amd64) is unpacked: dpkg --configure -a",
    });
  });
});

describe.skipIf(!isRoot)("what is taken back", { timeout: 60_000 }, () => {
  it("is only what the run has installed and nobody needs or has changed since; configuration that was there stays", async () => {
    await installed({ name: "kept", version: "1.0", files: { "/etc/kept": "k" }, conffiles: ["/etc/kept"] });
    await runDpkg(root, "--remove", "kept");
    const archives = [
      await captured({ name: "kept", version: "1.0", files: { "/etc/kept": "k" }, conffiles: ["/etc/kept"] }),
      await captured({ name: "liba", version: "1.0", files: { "/etc/liba": "a" }, conffiles: ["/etc/liba"] }),
      await captured({ name: "needed", version: "1.0", depends: "below" }),
      await captured({ name: "below", version: "1.0" }),
      await captured({ name: "updated", version: "1.0" }),
    ];
    const context = contextOf({ archives });
    await driver.apply(context, owner);
    await installed({ name: "user", version: "1.0", depends: "needed" });
    await installed({ name: "updated", version: "2.0" });
    await driver.destroy(context, owner);
    expect(await installedIn(root)).toEqual([
      "below 1.0 installed",
      "kept 1.0 config-files",
      "needed 1.0 installed",
      "updated 2.0 installed",
      "user 1.0 installed",
    ]);
    expect(existsSync(join(root, "etc/kept"))).toBe(true);
    expect(existsSync(join(root, "etc/liba"))).toBe(false);
  });
});

describe.skipIf(!isRoot)("where dpkg cannot do it", { timeout: 120_000 }, () => {
  it("says what dpkg says, and another attempt finishes what failed", async () => {
    await bringShell(root);
    const archives = [
      await captured({ name: "bad", version: "1.0", scripts: { postinst: "#!/bin/sh\n[ -e /go ]\n" } }),
    ];
    const context = contextOf({ archives });
    await expect(driver.apply(context, owner)).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining("dpkg failed on libraries: "),
    });
    expect(await driver.inspect(context)).toMatchObject({ presence: "partial", owner });
    await writeFile(join(root, "go"), "");
    await driver.finish?.(context, owner);
    expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner });
  });

  it("tells a full disk, and takes away all that has come onto it", async (test) => {
    test.skip(!(await canMountImages(folder.path)));
    const mounted = await mountImage(at("disk"), "ext4");
    try {
      root = await createPackageRoot(join(mounted.path, "root"), release);
      const files = { "/usr/lib/big": Buffer.alloc(24 * 1_048_576, "b") };
      const archives = [
        await captured({ name: "small", version: "1.0" }),
        await captured({ name: "big", version: "1.0", files }),
      ];
      // A disk that is nearly full.
      await new Promise<void>((resolve, reject) => {
        const child = spawn("sh", [
          "-c",
          `dd if=/dev/zero of='${join(mounted.path, "rest")}' bs=1M 2>/dev/null; truncate -s -8M '${join(mounted.path, "rest")}'`,
        ]);
        child.on("exit", () => resolve()).on("error", reject);
      });
      const context = contextOf({ archives });
      await expect(driver.apply(context, owner)).rejects.toMatchObject({
        code: "program.failed",
        message: expect.stringMatching(/No space left on device/),
      });
      expect(await driver.inspect(context)).toMatchObject({ presence: "partial", owner });
      await driver.destroy(context, owner);
      expect(await installedIn(root)).toEqual([]);
      expect(existsSync(join(root, "usr/lib/big"))).toBe(false);
    } finally {
      await mounted.remove();
    }
  });

  it("is refused to whoever is not root, before anything is brought", async () => {
    const archives = [await captured({ name: "liba", version: "1.0" })];
    await chmod(folder.path, 0o755);
    const { getuid } = process;
    process.getuid = () => 1000;
    try {
      await expect(driver.apply(contextOf({ archives }), owner)).rejects.toMatchObject({ code: "source.denied" });
      expect((await driver.preflight(contextOf({ archives }))).findings).toMatchObject([
        { ok: false, hint: "run Refloat as root" },
      ]);
    } finally {
      Object.assign(process, { getuid });
    }
    expect(await driver.inspect(contextOf({ archives }))).toEqual({ presence: "absent" });
  });
});
