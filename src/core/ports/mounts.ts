/** Showing snapshots of the vault as a file system, for as long as somebody wants to look. */

export type MountRequest = {
  /** An empty folder, or a path where one can be made; absolute. */
  readonly directory: string;
  readonly service: string;
  /** What is shown under which name; the snapshot as restic lists it. */
  readonly parts: readonly { readonly name: string; readonly snapshot: string; readonly path: string }[];
  /** A private folder for a cache; removed by the caller. */
  readonly workDirectory: string;
  /** Called once everything can be read. */
  readonly ready: () => void;
  /** Ends the mount; nothing of it is left then. */
  readonly signal: AbortSignal;
};

/**
 * Resolves when the mount has ended, by the signal or because somebody unmounted it; leaves no mount, link or folder that was not there.
 * @throws RefloatError program.missing where FUSE or the program is not there, target.exists, target.failed, program.failed
 */
export type MountPoint = (request: MountRequest) => Promise<void>;
