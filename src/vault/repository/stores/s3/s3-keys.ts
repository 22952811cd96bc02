/** Where the files of a repository lie in a bucket: restic's default layout, below a prefix. */
import { RefloatError } from "../../../../model/refloat-error.ts";
import type { StoreKind } from "../store.ts";

const hexName = /^[0-9a-f]{64}$/;

export class S3Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
  }

  /** Of everything that belongs to the repository. */
  get root(): string {
    return this.#prefix;
  }

  /** @throws RefloatError bug, for a name that could lead elsewhere */
  key(kind: StoreKind, name: string): string {
    if (kind === "config") return `${this.#prefix}config`;
    if (!hexName.test(name)) throw new RefloatError("bug", `"${name}" cannot be the name of a ${kind} file`);
    return kind === "data" ? `${this.#prefix}data/${name.slice(0, 2)}/${name}` : `${this.#prefix}${kind}/${name}`;
  }

  /** What all keys of the kind begin with. */
  folder(kind: StoreKind): string {
    return kind === "config" ? `${this.#prefix}config` : `${this.#prefix}${kind}/`;
  }

  /** @returns undefined for what another program left there */
  nameOf(kind: StoreKind, key: string): string | undefined {
    if (kind === "config") return key === this.folder("config") ? "" : undefined;
    const name = key.slice(key.lastIndexOf("/") + 1);
    return hexName.test(name) && this.key(kind, name) === key ? name : undefined;
  }
}
