/** What tests of the `git` driver share: a repository with all that one may have, captures in a folder, refs and files in one text. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { captureGit } from "../drivers/git/capture.ts";
import { gitBundle } from "../drivers/git/git-bundle.ts";
import type { GitContext, GitOptions } from "../drivers/git/git-options.ts";
import type { ComponentDriver } from "../core/ports/driver.ts";
import type { CaptureSink } from "../core/ports/vault-snapshots.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { createDirectorySink } from "./directory-vault.ts";
import { createTestContext } from "./driver-context.ts";

const [driver] = gitBundle.components;
if (driver === undefined) throw new Error("the bundle has no driver");
export const gitDriver: ComponentDriver = driver;

const environment = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "ann",
  GIT_AUTHOR_EMAIL: "ann@example.com",
  GIT_COMMITTER_NAME: "ann",
  GIT_COMMITTER_EMAIL: "ann@example.com",
};

export const git = async (path: string, ...words: readonly string[]): Promise<string> =>
  (await execa("git", ["-C", path, ...words], { env: environment })).stdout;

/** Two branches, a tag with a message, a remote whose url has a password with an @ in it, a link, a program. */
export const makeRepository = async (path: string): Promise<void> => {
  await mkdir(path);
  await git(path, "init", "--quiet", "--initial-branch=main");
  await writeFile(join(path, "shop.conf"), "price = 5\n");
  await writeFile(join(path, "start"), "#!/bin/sh\n", { mode: 0o755 });
  await execa("ln", ["-s", "shop.conf", join(path, "current")]);
  await git(path, "add", ".");
  await git(path, "commit", "--quiet", "--message", "begin");
  await git(path, "tag", "--annotate", "v1", "--message", "first");
  await git(path, "branch", "next");
  await writeFile(join(path, "shop.conf"), "price = 6\n");
  await git(path, "commit", "--quiet", "--all", "--message", "dearer");
  await git(path, "remote", "add", "origin", "https://ann:hunter@hunter2@example.com/shop.git");
};

export const gitContext = (path: string, folder: string, more: Partial<GitOptions> = {}): GitContext =>
  createTestContext<GitOptions>({ options: { path, ...more }, folder, component: "config" });

/** Captures into `folder`, which is made. @param around what is to happen while it goes on */
export const captureGitInto = async (
  context: GitContext,
  folder: string,
  around: (sink: CaptureSink) => CaptureSink = (sink) => sink,
): Promise<CapturedComponent> => {
  await mkdir(folder, { recursive: true });
  const report = await captureGit(context, around(createDirectorySink(folder)), null);
  return {
    name: "config",
    driver: "git",
    snapshot: "0".repeat(64) as SnapshotId,
    sizeBytes: report.facts.sizeBytes,
    newBytes: report.facts.sizeBytes,
    finishedAt: report.window.endAt,
    ...report,
  };
};

/** Refs, what is checked out, and the files of the working tree. */
export const readGitContent = async (path: string): Promise<string> => {
  const isBare = (await git(path, "rev-parse", "--is-bare-repository")) === "true";
  const files = isBare
    ? ""
    : (
        await execa(
          "sh",
          ["-c", "find . -path ./.git -prune -o ! -type d -printf '%p %m %l\\n' | sort; cat shop.conf"],
          { cwd: path },
        )
      ).stdout;
  return [await git(path, "for-each-ref"), await git(path, "log", "--oneline", "-1", "--decorate=full"), files].join(
    "\n",
  );
};
