/**
 * Puts faults between the vault and its store, each drawn from a seed, so that a failing run can be run again. Two kinds: *honest* ones, after
 * which the store says that it failed, and *lying* ones, after which it does not.
 */
import { RefloatError } from "../model/refloat-error.ts";
import {
  type Store,
  StoreFileMissing,
  type StoreKind,
  type StoredFile,
  retentionOf,
} from "../vault/repository/stores/store.ts";

export const honestFaults = ["unreachable", "failed", "no-space", "lost-answer", "torn"] as const;
export const lyingFaults = ["bit-flip", "short-read", "other-file", "missing-entry", "no-file"] as const;
export type FaultKind = (typeof honestFaults)[number] | (typeof lyingFaults)[number];

export type FaultyStoreOptions = {
  /** Asked before each act. @param act `read index` */
  readonly draw: (act: string) => FaultKind | undefined;
  /** A number in [0, 1) of the same seed. */
  readonly random: () => number;
  readonly happened?: (fault: FaultKind, act: string) => void;
};

/** Mulberry32: small, seeded, and good enough to choose faults. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

export const faultyStore = (store: Store, { draw, random, happened }: FaultyStoreOptions): Store => {
  const strike = (act: string): FaultKind | undefined => {
    const fault = draw(act);
    if (fault !== undefined) happened?.(fault, act);
    return fault;
  };
  const refuse = (fault: FaultKind | undefined, act: string): void => {
    const say = (code: "vault.unreachable" | "vault.store-failed" | "vault.no-space"): never => {
      throw new RefloatError(code, `a fault was put into "${act}"`);
    };
    if (fault === "unreachable") say("vault.unreachable");
    if (fault === "failed") say("vault.store-failed");
    if (fault === "no-space" && act.startsWith("write")) say("vault.no-space");
  };
  const spoil = async (
    fault: FaultKind | undefined,
    content: Buffer,
    act: { readonly kind: StoreKind; readonly name: string },
    other: () => Promise<Buffer>,
  ): Promise<Buffer> => {
    if (fault === "bit-flip" && content.length > 0) {
      const at = Math.floor(random() * content.length);
      content[at] = (content[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    }
    if (fault === "short-read") {
      throw new RefloatError("vault.damaged", `the vault's ${act.kind} file ${act.name} ends too early`);
    }
    if (fault === "no-file") throw new StoreFileMissing(act.kind, act.name, store.location);
    return fault === "other-file" ? other() : content;
  };
  const anotherName = async (kind: StoreKind, name: string): Promise<string> => {
    for await (const file of store.list(kind)) if (file.name !== name) return file.name;
    return name;
  };
  const write = async (kind: StoreKind, name: string, content: Uint8Array): Promise<void> => {
    const act = `write ${kind}`;
    const fault = strike(act);
    refuse(fault, act);
    if (fault === "torn") throw new RefloatError("vault.store-failed", `"${act}" broke off in the middle`);
    await store.write(kind, name, content);
    if (fault === "lost-answer") throw new RefloatError("vault.unreachable", `the answer to "${act}" was lost`);
  };

  return {
    ...retentionOf(store),
    location: store.location,
    async *list(kind) {
      const act = `list ${kind}`;
      const fault = strike(act);
      refuse(fault, act);
      const files: StoredFile[] = [];
      for await (const file of store.list(kind)) files.push(file);
      const left = fault === "missing-entry" ? Math.floor(random() * files.length) : -1;
      for (const [at, file] of files.entries()) if (at !== left) yield file;
      if (fault === "lost-answer") throw new RefloatError("vault.unreachable", `"${act}" broke off at its end`);
    },
    stat: async (kind, name) => {
      const act = `stat ${kind}`;
      refuse(strike(act), act);
      return store.stat(kind, name);
    },
    read: async (kind, name) => {
      const act = `read ${kind}`;
      const fault = strike(act);
      refuse(fault, act);
      const content = await store.read(kind, name);
      return spoil(fault, content, { kind, name }, async () => store.read(kind, await anotherName(kind, name)));
    },
    readRange: async (kind, name, offset, length, into) => {
      const act = `read ${kind}`;
      const fault = strike(act);
      refuse(fault, act);
      const content = await store.readRange(kind, name, offset, length, into);
      return spoil(fault, content, { kind, name }, async () =>
        store.readRange(kind, await anotherName(kind, name), offset, length, into),
      );
    },
    write,
    begin: (kind) => {
      const parts: Buffer[] = [];
      let over = false;
      return {
        append: (part) => {
          if (over) throw new RefloatError("bug", "a finished file of the vault was appended to");
          parts.push(Buffer.from(part));
        },
        finish: async (name) => {
          if (over) throw new RefloatError("bug", "a file of the vault was finished twice");
          over = true;
          await write(kind, name, Buffer.concat(parts));
        },
        discard: () => {
          over = true;
        },
      };
    },
    remove: async (kind, name) => {
      const act = `remove ${kind}`;
      const fault = strike(act);
      refuse(fault, act);
      await store.remove(kind, name);
      if (fault === "lost-answer") throw new RefloatError("vault.unreachable", `the answer to "${act}" was lost`);
    },
    sweep: async () => store.sweep(),
    close: async () => store.close(),
  };
};
