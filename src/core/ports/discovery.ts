/** Looking at what runs, and at the file that declares it. */
import type { Fingerprint } from "../../model/fingerprint.ts";
import type { VariableMeaning } from "../init/machine-findings.ts";

/** A process and all that it has started, as they are at one moment. Nothing of it is a value of a variable. */
export type ObservedTree = {
  readonly pids: readonly number[];
  /** Null when it may not be read. `meaning` is told of what was recognised. */
  readonly variables: readonly { readonly name: string; readonly meaning: VariableMeaning }[] | null;
  /** Names in DNS that values of variables hold. */
  readonly hosts: readonly { readonly name: string; readonly variable: string }[];
  readonly libraries: Fingerprint["libraries"];
  readonly packages: Fingerprint["packages"];
  /** Regular files that are open, without those of the system. */
  readonly files: readonly string[];
  /** TCP ports that it listens on. */
  readonly ports: readonly number[];
  /** The other ends of its connections. */
  readonly peers: readonly { readonly host: string; readonly port: number; readonly local: boolean }[];
  /** Mounted file systems other than the root that its files and folders lie on. */
  readonly mounts: readonly { readonly path: string; readonly type: string; readonly source: string }[];
  /** It holds more than may be seen: of another user. */
  readonly hidden: boolean;
};

export type Discovery = {
  /** @param pid the first process of the tree */
  readonly observe: (pid: number, signal: AbortSignal) => Promise<ObservedTree>;
  /** The declaration as text; null where there is none, as with a vault alone. */
  readonly file: () => Promise<{ readonly path: string; readonly text: string } | null>;
  /** The lines by which a file would have to change, as `patch -p0` takes them in its folder; empty when by none. */
  readonly patch: (path: string, after: string, signal: AbortSignal) => Promise<string>;
};
