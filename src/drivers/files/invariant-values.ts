/** The set of an invariant: relative paths of the files that match a glob, one per line, as they are found. */
import picomatch from "picomatch";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { walkTree } from "../../platform/tree-walk.ts";
import { type FilesContext, stablePathOf, walkRulesOf } from "./files-options.ts";

const chunkBytes = 65_536;
const newline = Buffer.from("\n");

/** A newline in a name would make two values of one, and one of them could be a name that is meant to exist. */
const asLine = (path: Buffer): Buffer =>
  path.includes(0x0a)
    ? Buffer.concat([Buffer.from(path.toString().replaceAll("\n", "\\n")), newline])
    : Buffer.concat([path, newline]);

const refuseOutside = (context: FilesContext, expression: string): void => {
  if (!expression.startsWith("/") && !expression.split("/").includes("..")) return;
  throw new RefloatError(
    "config.invalid",
    `"${expression}" leads outside of ${context.component}; a pattern is relative to its path`,
  );
};

/** Of the files that a point has, by its list alone. @throws RefloatError config.invalid, vault.damaged */
export const filesCapturedValues = async function* (
  context: FilesContext,
  expression: string,
  captured: CapturedComponent,
  source: SnapshotReader,
): ByteStream {
  refuseOutside(context, expression);
  const matches = picomatch(expression);
  const prefix = Buffer.from(`${captured.path}/`);
  for await (const { rawPath, type } of source.list(captured.path, { recursive: true })) {
    context.signal.throwIfAborted();
    const relative = Buffer.from(rawPath).subarray(prefix.length);
    if (type !== "dir" && matches(relative.toString())) yield asLine(relative);
  }
};

/** @throws RefloatError config.invalid for a glob that leads outside, source.failed when the tree cannot be read */
export const filesInvariantValues = async function* (
  context: FilesContext,
  expression: string,
  location: string | null,
): ByteStream {
  refuseOutside(context, expression);
  const root = location ?? (await stablePathOf(context));
  if (!(await pathExists(root)))
    throw new RefloatError("source.failed", `${root} is not there, so ${expression} cannot be asked`);
  const rules = walkRulesOf(context);
  const matches = picomatch(expression);
  // Excludes are relative to the root, so only without any may the walk begin further down.
  const base = rules.exclude.length === 0 ? picomatch.scan(expression).base : "";
  const prefix = base === "" ? Buffer.alloc(0) : Buffer.from(`${base}/`);
  const start = base === "" ? root : `${root}/${base}`;
  if (!(await pathExists(start))) return;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const unreadable = (path: Buffer, code: string): void => {
    throw new RefloatError(
      "source.failed",
      `${start}/${path.toString()} cannot be read (${code}), so ${expression} cannot be answered`,
    );
  };
  for await (const { path, stats } of walkTree(start, { ...rules, unreadable })) {
    if (stats.isDirectory()) continue;
    const relative = path.length === 0 ? Buffer.from(base) : Buffer.concat([prefix, path]);
    if (!matches(relative.toString())) continue;
    const line = asLine(relative);
    waiting.push(line);
    waitingBytes += line.length;
    if (waitingBytes < chunkBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
  }
  if (waitingBytes > 0) yield Buffer.concat(waiting);
};
