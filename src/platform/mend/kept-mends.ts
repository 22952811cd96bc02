/** Where proposals are kept until somebody decides: one folder each, named by the digest of its script, made whole or not at all. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ProposedScripts } from "../../core/mend/propose-rows.ts";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { ScriptPiece } from "../../core/ports/row-stage.ts";
import { type MendDirection, type MendProposal, mendProposalSchema } from "../../model/mend.ts";
import { formatBytes } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { syncDirectory } from "../atomic-file.ts";
import { systemClock } from "../system-clock.ts";
import { translateSystemErrors } from "../system-error.ts";

/** @param extension of the scripts */
const filesWith = (extension: string) => ({ mend: `mend.${extension}`, undo: `undo.${extension}` });
const factsName = "mend.json";

/** Enough of a digest to tell any two proposals apart, and short enough for a path that is typed. */
const folderName = (digest: string): string => digest.slice(0, 16);

const folderOf = (stateDirectory: string): string => join(stateDirectory, "mends");

const pieceBytes = 262_144;
/** So much of the end is held back at least: more than the last word of a script has. */
const leastHeldBytes = 4096;

/** More is nothing that anybody reviews, and one transaction holds too much. */
const mostScriptBytes = 268_435_456;

/** @returns SHA-256 of what was written, hex @throws RefloatError source.unsupported */
const write = async (
  path: string,
  pieces: AsyncIterable<ScriptPiece> | Iterable<ScriptPiece>,
  mostBytes = mostScriptBytes,
): Promise<string> => {
  let bytes = 0;
  const hash = createHash("sha256");
  const handle = await open(path, "wx", 0o600);
  try {
    for await (const piece of pieces) {
      bytes += Buffer.byteLength(piece);
      if (bytes > mostBytes) {
        throw new RefloatError(
          "source.unsupported",
          `what is put back takes more than the ${formatBytes(mostBytes)} of one script`,
          {
            state: "nothing was changed",
            hint: "narrow it by tables, --where, --columns or a narrower pattern of keys, or recover the whole component",
          },
        );
      }
      hash.update(piece);
      await handle.writeFile(piece);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
};

/** A proposal is written in minutes; nobody writes to one of yesterday any more. */
const abandonedMs = 24 * 3_600_000;

/** Removes what killed processes have left half written. One that is being written now, by whichever process, stays. */
const sweep = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    if (!/^\.[0-9a-f]+\.tmp$/.test(name)) continue;
    const partial = join(folder, name);
    const times = await Promise.all(
      [partial, ...(await readdir(partial).catch(() => [])).map((file) => join(partial, file))].map(async (path) =>
        stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          // Another process was quicker.
          () => 0,
        ),
      ),
    );
    if (systemClock.now().getTime() - Math.max(...times) > abandonedMs)
      await rm(partial, { recursive: true, force: true });
  }
};

/** @throws RefloatError target.failed when the folder cannot be written; source.unsupported for a script that nobody could run; whatever the scripts throw */
export const keepMend = async (
  stateDirectory: string,
  scripts: ProposedScripts,
  {
    mostBytes = mostScriptBytes,
    extension = "sql",
  }: { readonly mostBytes?: number; readonly extension?: "sql" | "jsonl" } = {},
): Promise<MendProposal> =>
  translateSystemErrors("target.failed", "the script could not be kept", async () => {
    const files = filesWith(extension);
    const folder = folderOf(stateDirectory);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await sweep(folder);
    const partial = join(folder, `.${randomBytes(6).toString("hex")}.tmp`);
    await mkdir(partial, { mode: 0o700 });
    try {
      const digest = await write(join(partial, files.mend), scripts.mend, mostBytes);
      const undoDigest = await write(join(partial, files.undo), scripts.undo, mostBytes);
      const final = join(folder, folderName(digest));
      const paths = { script: join(final, files.mend), undo: join(final, files.undo) };
      const proposal = scripts.describe({ digest, undoDigest, ...paths });
      await write(join(partial, factsName), [`${JSON.stringify(proposal, null, 2)}\n`]);
      await syncDirectory(partial);
      // The same was proposed before: done, taken back, and wanted again.
      await rm(final, { recursive: true, force: true });
      await rename(partial, final);
      await syncDirectory(folder);
      return proposal;
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  });

/** @param digest or its first characters @throws RefloatError usage when several begin so */
export const readMend = async (stateDirectory: string, digest: string): Promise<MendProposal | null> => {
  const folder = folderOf(stateDirectory);
  const kept = await readdir(folder).catch(() => []);
  const [name, ...others] = kept.filter((one) => one.startsWith(folderName(digest)));
  if (name === undefined) return null;
  if (others.length > 0)
    throw new RefloatError("usage", `${others.length + 1} proposals begin with ${digest}`, {
      hint: "give more characters of the digest",
    });
  const proposal = mendProposalSchema.parse(JSON.parse(await readFile(join(folder, name, factsName), "utf8")));
  return proposal.digest.startsWith(digest) ? proposal : null;
};

/** Only SQL is run as it stands by a stock client: commands of Redis are bytes, with conditions between them that redis-cli does not keep. */
const changedSince = (path: string): RefloatError =>
  new RefloatError("usage", `${path} is not what was shown: somebody has changed it`, {
    state: "nothing was changed",
    hint: path.endsWith(".sql")
      ? "a script of your own is for the stock client: psql -X -v ON_ERROR_STOP=1 -f FILE, mariadb DATABASE < FILE"
      : "what it puts back can be compared and written anew: give mend the same --only again",
  });

/**
 * What is run is what was shown: a script that was changed since is refused before the first byte comes. It is looked at again as it is read, and the end of it,
 * without which nothing of it is done, is held back until all of it was.
 * @throws RefloatError usage, target.failed
 */
export async function* readScript(proposal: MendProposal, direction: MendDirection): ByteStream {
  const path = direction === "mend" ? proposal.script : proposal.undo;
  if (path === null) throw new RefloatError("usage", "nothing was to be put back: there is no script");
  const shown = direction === "mend" ? proposal.digest : proposal.undoDigest;
  const translated = <Result>(act: () => Promise<Result>): Promise<Result> =>
    translateSystemErrors("target.failed", "the script could not be read", act);
  const handle = await translated(() => open(path, "r"));
  const bytes = async function* (): ByteStream {
    for (let at = 0; ;) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const position = at;
      const { bytesRead } = await translated(() => handle.read(piece, 0, piece.length, position));
      if (bytesRead === 0) return;
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  };
  try {
    const before = createHash("sha256");
    for await (const piece of bytes()) before.update(piece);
    if (before.digest("hex") !== shown) throw changedSince(path);
    const again = createHash("sha256");
    let held: Uint8Array = new Uint8Array();
    for await (const piece of bytes()) {
      again.update(piece);
      if (piece.length < leastHeldBytes) held = Buffer.concat([held, piece]);
      else {
        yield held;
        held = piece;
      }
    }
    if (again.digest("hex") !== shown) throw changedSince(path);
    yield held;
  } finally {
    await handle.close();
  }
}
