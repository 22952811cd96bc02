/** Captures and restores of real repositories: what is left out and said so, torn, damaged, on a full disk, in whatever state they are. */
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { InstanceTarget } from "../../core/ports/driver.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureGitInto, git, gitContext, gitDriver, makeRepository, readGitContent } from "../../testing/git-bench.ts";
import type { GitContext } from "./git-options.ts";

vi.setConfig({ testTimeout: 300_000 });

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const { instances, writes } = gitDriver;

let folder: TestFolder;
let path: string;
let context: GitContext;
let target: InstanceTarget;

const vaultOf = (name: string): string => join(folder.path, `vault-${name}`);
const capture = (name = "first") => captureGitInto(context, vaultOf(name));
const restore = async (name = "first", captured = capture(name)) =>
  instances.restore(context, target, createDirectoryReader(vaultOf(name)), await captured);

beforeEach(async () => {
  folder = await createTestFolder("refloat-git");
  path = join(folder.path, "config");
  await makeRepository(path);
  context = gitContext(path, folder.path);
  target = { name: await instances.name(context, 42), run: 42, runUid };
});
afterEach(() => folder.remove());

test("what is in no commit, ignored, a submodule or a pointer is named, and not in the point", async () => {
  await writeFile(join(path, "shop.conf"), "price = 7\n");
  await writeFile(join(path, "new file"), "");
  await writeFile(join(path, ".gitignore"), "*.env\n");
  await writeFile(join(path, "secret.env"), "KEY=1\n");
  await writeFile(join(path, ".gitattributes"), "*.bin filter=lfs\n");
  await git(path, "add", ".gitattributes");
  await git(path, "update-index", "--add", "--cacheinfo", `160000,${await git(path, "rev-parse", "HEAD")},library`);
  await git(path, "commit", "--quiet", "--message", "more");
  const captured = await capture();
  expect(captured.warnings).toEqual([
    "4 files are in no commit, and so not in the point: library, shop.conf, .gitignore, new file",
    "what Git is told to ignore is not in the point, and not in a restored folder: secret.env",
    "submodules are in the point by their commits alone, not by their content: library; declare them too",
    "files of Git LFS are in the point by their pointers alone: declare .git/lfs as files",
  ]);
  const { findings } = await gitDriver.preflight(context);
  expect(findings.filter(({ ok }) => !ok)).toHaveLength(4);
  await expect(
    captureGitInto({ ...context, options: { path, uncommitted: "refuse" } }, vaultOf("refused")),
  ).rejects.toMatchObject({
    code: "source.unsupported",
    message: expect.stringContaining("are in no commit: library, shop.conf"),
  });
  expect(await readFile(join(path, "shop.conf"), "utf8")).toBe("price = 7\n");
});

test("a restored repository has the commits, follows the same remote, and brings no hook and no password", async () => {
  await writeFile(join(path, ".git/hooks/post-checkout"), "#!/bin/sh\ntouch ran\n", { mode: 0o755 });
  await git(path, "config", "core.fsmonitor", join(folder.path, "never"));
  const captured = await capture();
  await restore("first", Promise.resolve(captured));
  expect(await instances.validate(context, target, captured.facts)).toMatchObject([
    {
      status: "passed",
      found: `3 refs as captured, commit ${await git(path, "rev-parse", "HEAD")}, sound by git fsck`,
    },
  ]);
  expect(await git(target.name, "config", "remote.origin.url")).toBe("https://example.com/shop.git");
  expect(await git(target.name, "status", "--porcelain")).toBe("");
  const found = await execa(
    "grep",
    ["-rl", "-e", "hunter2", "-e", "touch ran", "-e", "/never", vaultOf("first"), target.name],
    {
      reject: false,
    },
  );
  expect(found.stdout).toBe("");
});

/** Programs of a filter are run by `git status`: this one tells as whom. @returns who that was, and nobody if it was not run */
const spyOn = async (): Promise<() => Promise<readonly string[]>> => {
  const told = join(folder.path, "told");
  await writeFile(told, "");
  await chmod(told, 0o666);
  await chmod(folder.path, 0o711);
  await git(path, "config", "filter.spy.clean", `sh -c 'id -u >> ${told}; cat'`);
  await writeFile(join(path, ".gitattributes"), "* filter=spy\n");
  return async () => [...new Set((await readFile(told, "utf8")).split("\n").filter((line) => line !== ""))];
};

test.skipIf(process.getuid?.() !== 0).each([
  { whose: "a user", uid: 65_534 },
  { whose: "one who has no name here", uid: 54_321 },
])("a repository of $whose is looked at by nobody with more rights", async ({ uid }) => {
  const ranAs = await spyOn();
  await execa("chown", ["-R", `${uid}:${uid}`, path]);
  const captured = await capture();
  await gitDriver.preflight(context);
  expect(await writes?.position(context, null)).toMatchObject({ mark: captured.facts.position?.mark });
  expect(await ranAs()).toEqual([String(uid)]);
  await restore("first", Promise.resolve(captured));
  expect(await instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
  expect((await stat(join(target.name, ".git"))).uid).toBe(uid);
  // One that lies in a folder of root's: whom are its programs to be run as?
  await execa("chown", ["root:root", path]);
  await expect(capture("mixed")).rejects.toMatchObject({
    code: "source.denied",
    message: `${path} and its .git belong to different users`,
  });
  expect(await ranAs()).toEqual([String(uid)]);
});

test.each(["bare", "detached", "worktree on another branch"])(
  "a repository that is %s comes back as it was",
  async (kind) => {
    if (kind === "bare") {
      await git(folder.path, "clone", "--quiet", "--mirror", path, "mirror");
      path = join(folder.path, "mirror");
    } else if (kind === "detached") {
      await git(path, "checkout", "--quiet", "--detach");
      await git(path, "commit", "--quiet", "--allow-empty", "--message", "on no branch");
    } else await git(path, "checkout", "--quiet", "next");
    context = gitContext(path, folder.path);
    target = { ...target, name: await instances.name(context, 42) };
    const captured = await capture();
    await restore("first", Promise.resolve(captured));
    expect(await instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    expect(await readGitContent(target.name)).toBe(await readGitContent(path));
  },
);

test("a commit in the middle of a capture is in it with all that it needs, or the capture begins anew", async () => {
  let tries = 0;
  const captured = await captureGitInto(context, vaultOf("busy"), (sink) => ({
    ...sink,
    stream: async (...given) => {
      const receipt = await sink.stream(...given);
      if ((tries += 1) === 1) await git(path, "commit", "--quiet", "--allow-empty", "--message", "meanwhile");
      return receipt;
    },
  }));
  expect(tries).toBe(2);
  await restore("busy", Promise.resolve(captured));
  expect(await instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
  expect(await git(target.name, "log", "-1", "--format=%s")).toBe("meanwhile");
});

test("a repository that lacks an object is no point", async () => {
  const blob = await git(path, "rev-parse", "HEAD:shop.conf");
  const file = join(path, ".git/objects", blob.slice(0, 2), blob.slice(2));
  await chmod(file, 0o600);
  await writeFile(file, "damaged");
  await expect(capture()).rejects.toMatchObject({ code: "source.failed", state: "no point was made" });
});

test("a bundle that was torn or changed is refused, and one that differs from the facts is told", async () => {
  const captured = await capture();
  const file = join(vaultOf("first"), "config/repository.bundle");
  const whole = await readFile(file);
  for (const bytes of [
    whole.subarray(0, -30),
    Buffer.concat([whole.subarray(0, -40), Buffer.from("x"), whole.subarray(-39)]),
  ]) {
    await writeFile(file, bytes);
    await expect(restore("first", Promise.resolve(captured))).rejects.toMatchObject({ code: "point.damaged" });
    expect(await instances.inspect(context, target)).toBe("partial");
    await instances.drop(context, target);
  }
  await writeFile(file, whole);
  await restore("first", Promise.resolve(captured));
  await git(target.name, "tag", "--delete", "v1");
  const blob = await git(target.name, "rev-parse", "HEAD:shop.conf");
  expect(await instances.validate(context, target, captured.facts)).toMatchObject([
    { status: "failed", found: expect.stringMatching(/^refs\/tags\/v1 is at nothing, captured [0-9a-f]{40}$/) },
  ]);
  expect(blob).toHaveLength(40);
});

test("a restore to a full disk says so, is dropped, and is made again when there is room", async ({ skip }) => {
  skip(process.getuid?.() !== 0, "only root may mount a small tmpfs to fill");
  await execa("sh", ["-c", "head -c 300000 /dev/urandom > large"], { cwd: path });
  await git(path, "add", "large");
  await git(path, "commit", "--quiet", "--message", "large");
  const captured = await capture();
  const disk = join(folder.path, "disk");
  await mkdir(disk);
  await execa("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
  try {
    context = gitContext(join(disk, "config"), folder.path);
    target = { ...target, name: await instances.name(context, 42) };
    // No room for the bundle; for it and not for the pack.
    for (const room of ["100k", "450k"]) {
      await execa("mount", ["-o", `remount,size=${room}`, disk]);
      await expect(restore("first", Promise.resolve(captured))).rejects.toMatchObject({ code: "target.failed" });
      expect(await instances.inspect(context, target)).toBe("partial");
      await instances.drop(context, target);
      expect(await instances.inspect(context, target)).toBe("absent");
    }
    await execa("mount", ["-o", "remount,size=16m", disk]);
    await restore("first", Promise.resolve(captured));
    expect(await readGitContent(target.name)).toBe(await readGitContent(path));
  } finally {
    await execa("umount", [disk]);
  }
});

test("what is no whole repository is refused", async () => {
  const refused = (of: string) => captureGitInto(gitContext(of, folder.path), vaultOf("refused"));
  await expect(refused(folder.path)).rejects.toMatchObject({ code: "source.failed" });
  await git(folder.path, "clone", "--quiet", "--depth=1", `file://${path}`, "shallow");
  await expect(refused(join(folder.path, "shallow"))).rejects.toMatchObject({
    code: "source.unsupported",
    hint: "git fetch --unshallow, or declare it as files",
  });
  await git(folder.path, "init", "--quiet", "empty");
  await expect(refused(join(folder.path, "empty"))).rejects.toMatchObject({
    code: "source.unsupported",
    message: expect.stringContaining("has no commit yet"),
  });
});

test("writes are told by commits, refs and files in no commit", async () => {
  const captured = await capture();
  const { position } = captured.facts;
  if (writes === undefined || position === undefined) throw new Error("there is no ledger");
  const since = (location: string | null = null) => writes.writesSince(context, { location, since: position });
  expect(await since()).toEqual({ lastWriteAt: null, units: [], gaps: [] });
  // As one that was made long ago comes by a fetch: it is no reason to take nothing for lost.
  const [tree, head] = [await git(path, "rev-parse", "HEAD^{tree}"), await git(path, "rev-parse", "HEAD")];
  const old = execa("git", ["-C", path, "commit-tree", tree, "-p", head, "-m", "old"], {
    env: {
      GIT_AUTHOR_NAME: "ann",
      GIT_AUTHOR_EMAIL: "a@b",
      GIT_COMMITTER_NAME: "ann",
      GIT_COMMITTER_EMAIL: "a@b",
      GIT_COMMITTER_DATE: "2001-01-01T00:00:00Z",
    },
  });
  await git(path, "branch", "fetched", (await old).stdout);
  expect(await since()).toMatchObject({ lastWriteAt: null, units: [{ name: "commits", added: 1 }, { added: 1 }] });
  await git(path, "branch", "--quiet", "-D", "fetched");
  await git(path, "commit", "--quiet", "--allow-empty", "--message", "one");
  await git(path, "branch", "hotfix");
  await git(path, "tag", "--delete", "v1");
  await writeFile(join(path, "shop.conf"), "price = 9\n");
  expect(await since()).toMatchObject({
    lastWriteAt: expect.stringMatching(/^20.*Z$/),
    units: [
      { name: "commits", added: 1 },
      { name: "refs", added: 1, changed: 1, removed: 1 },
      { name: "uncommitted files", changed: 1 },
    ],
    gaps: [],
  });
  expect(await writes.estimateSince?.(context, position)).toMatchObject({
    about: "1 commit, 3 refs, 1 uncommitted file",
  });
  await restore("first", Promise.resolve(captured));
  expect(await since(target.name)).toEqual({ lastWriteAt: null, units: [], gaps: [] });
});
