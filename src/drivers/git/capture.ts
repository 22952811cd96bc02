/** Capture of a repository: one bundle of all its refs, as Git streams it, and what it is at. */
import { execa } from "execa";
import type { SealedStream } from "../../core/ports/bytes.ts";
import type { ComponentDriver } from "../../core/ports/driver.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { ownerOf } from "../../platform/folder-server/folder-owner.ts";
import { programError } from "../../platform/subprocess.ts";
import { type GitOptions, stablePathOf } from "./git-options.ts";
import { type RepositoryState, readRepository } from "./repository-state.ts";
import { type GitPlace, gitCommand, gitPlace } from "./run-git.ts";

/** Of the component, in its snapshot. */
export const bundleName = "repository.bundle";

/** Refs by name and object, and a head that is on no branch. One thread: the same objects make the same bytes. */
export const bundleWords = ({ commit }: Pick<RepositoryState, "commit">): readonly string[] => [
  "-c",
  "pack.threads=1",
  "bundle",
  "create",
  "--quiet",
  "-",
  "--all",
  ...(commit === null ? [] : ["HEAD"]),
];

type Bundle = SealedStream & { readonly close: () => Promise<void> };

const openBundle = (place: GitPlace, state: RepositoryState): Bundle => {
  const { folder, signal, environment } = place;
  const stopping = new AbortController();
  const [program, ...words] = gitCommand(place, bundleWords(state));
  const child = execa(program, words, {
    cancelSignal: AbortSignal.any([signal, stopping.signal]),
    env: environment,
    cwd: "/",
    extendEnv: false,
    stdin: "ignore",
    buffer: { stdout: false, stderr: true },
  });
  // Node lets flow, into nothing, what nobody has asked for when a child ends: so somebody asks from the first.
  child.stdout.on("readable", () => undefined);
  const ended = child.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  return {
    bytes: child.stdout as AsyncIterable<Uint8Array>,
    seal: async () => {
      const failure = await ended;
      if (failure === null) return {};
      signal.throwIfAborted();
      const { message } = programError("git", failure.error);
      throw new RefloatError("source.failed", `${folder} could not be bundled: ${message}`, {
        cause: failure.error,
        state: "no point was made",
        hint: "git fsck shows what its objects lack",
      });
    },
    close: async () => {
      stopping.abort();
      // What nobody has read is waited for else, for ever.
      child.stdout.destroy();
      await ended;
    },
  };
};

const namesShown = 5;

const listed = (names: readonly string[]): string =>
  `${names.slice(0, namesShown).join(", ")}${names.length > namesShown ? ` and ${names.length - namesShown} more` : ""}`;

const isSameState = (a: RepositoryState, b: RepositoryState): boolean =>
  a.commit === b.commit && a.branch === b.branch && JSON.stringify(a.refs) === JSON.stringify(b.refs);

export const warningsOf = (state: RepositoryState): readonly string[] => [
  ...(state.uncommitted.length === 0
    ? []
    : [`${state.uncommitted.length} files are in no commit, and so not in the point: ${listed(state.uncommitted)}`]),
  ...(state.ignored.length === 0
    ? []
    : [`what Git is told to ignore is not in the point, and not in a restored folder: ${listed(state.ignored)}`]),
  ...(state.submodules.length === 0
    ? []
    : [
        `submodules are in the point by their commits alone, not by their content: ${listed(state.submodules)}; declare them too`,
      ]),
  ...(state.usesLfs ? ["files of Git LFS are in the point by their pointers alone: declare .git/lfs as files"] : []),
];

const triesToHoldStill = 3;

export const captureGit: ComponentDriver<GitOptions>["capture"] = async (context, sink, _, pinned) => {
  const { clock, component, signal } = context;
  const folder = await stablePathOf(context);
  const root = `/${component}`;
  const progress = accumulateProgress(context.progress, { unit: "files", itemsTotal: 1 });
  const place = await gitPlace(context, folder);
  let state = await readRepository(place);
  if (state.commit === null && Object.keys(state.refs).length === 0)
    throw new RefloatError("source.unsupported", `${folder} has no commit yet`);
  if (context.options.uncommitted === "refuse" && state.uncommitted.length > 0)
    throw new RefloatError("source.unsupported", `files of ${folder} are in no commit: ${listed(state.uncommitted)}`, {
      hint: "commit them, or leave uncommitted: refuse out of the declaration",
    });
  for (let tries = 1; ; tries += 1) {
    const beginAt = clock.now().toISOString();
    const bundle = openBundle(place, state);
    try {
      // One for each try: a snapshot takes no name twice.
      const name = tries === 1 ? bundleName : `${tries}.${bundleName}`;
      const stored = await sink.stream(`${root}/${name}`, bundle, signal, progress);
      const after = await readRepository(place);
      if (!isSameState(state, after)) {
        if (tries === triesToHoldStill)
          throw new RefloatError("source.failed", `${folder} is committed to faster than it can be read`, {
            state: "no point was made",
          });
        state = after;
        continue;
      }
      pinned?.();
      return {
        path: root,
        facts: {
          sizeBytes: stored.sizeBytes,
          counts: {
            refs: Object.keys(state.refs).length,
            files: state.files,
            uncommitted: state.uncommitted.length,
          },
          units: { [name]: { sizeBytes: stored.sizeBytes, sha256: stored.sha256 } },
          position: { takenAt: beginAt, mark: { commit: state.commit, refs: state.refs } },
          versions: {},
          detail: toJsonObject({ ...state, bundle: name, owner: await ownerOf(folder, signal) }),
        },
        window: { beginAt, endAt: clock.now().toISOString() },
        consistency: "snapshot",
        warnings: [...warningsOf(state)],
      };
    } finally {
      await bundle.close();
    }
  }
};
