/** What is told of an entry or a key: to people by screens, to programs by `--json`. */
import type { CapturedKey } from "../ports/captured-keys.ts";
import type { FolderEntry } from "../ports/vault-snapshots.ts";
import { instantOfNs } from "../text/instant-of-ns.ts";
import { isText, lossyText } from "../text/shown-name.ts";

export type EntryFacts = {
  /** Below the component's root, as it is, control characters and all; U+FFFD for what is not UTF-8. */
  readonly path: string;
  /** The exact bytes, only where `path` does not hold them. */
  readonly pathBase64?: string;
  readonly type: FolderEntry["type"];
  /** Permissions, set-uid, set-gid and sticky, as a number. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user?: string;
  readonly group?: string;
  readonly sizeBytes: number;
  readonly modifiedAt: string;
  readonly linkTarget?: string;
  readonly linkTargetBase64?: string;
  /** Of a file: equal ids, equal content. */
  readonly contentId?: string;
  /** Of a folder: equal ids, and everything below is equal. */
  readonly treeId?: string;
};

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** The path alone, for a program. */
export const pathFacts = (path: Uint8Array): Pick<EntryFacts, "path" | "pathBase64"> => ({
  path: lossyText(path),
  ...(isText(path) ? {} : { pathBase64: base64(path) }),
});

export const entryFacts = (path: Uint8Array, entry: FolderEntry): EntryFacts => {
  const { type, mode, uid, gid, user, group, sizeBytes, linkTarget, contentId, treeId } = entry;
  return {
    ...pathFacts(path),
    type,
    mode,
    uid,
    gid,
    ...(user === "" ? {} : { user }),
    ...(group === "" ? {} : { group }),
    sizeBytes,
    modifiedAt: instantOfNs(entry.modifiedNs),
    ...(linkTarget === null
      ? {}
      : {
          linkTarget: lossyText(linkTarget),
          ...(isText(linkTarget) ? {} : { linkTargetBase64: base64(linkTarget) }),
        }),
    ...(contentId === null ? {} : { contentId }),
    ...(treeId === null ? {} : { treeId }),
  };
};

export type KeyFacts = Omit<CapturedKey, "key"> & { readonly key: string; readonly keyBase64?: string };

export const keyFacts = ({ key, prefix, type, sizeBytes, expiresAt, lease }: CapturedKey): KeyFacts => ({
  key: lossyText(key),
  ...(isText(key) ? {} : { keyBase64: base64(key) }),
  prefix,
  type,
  sizeBytes,
  expiresAt,
  ...(lease === undefined ? {} : { lease }),
});
