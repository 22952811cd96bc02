/** Whatever is done to the files of a vault, by rot or on purpose: what is read is what was written, or there is a clear error. */
import { chmod, cp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RefloatError } from "../../src/model/refloat-error.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { noise } from "./support/nasty-tree.ts";
import { password } from "./support/restic.ts";

const never = new AbortController().signal;
const environment = { clock: systemClock };
const kinds = ["config", "keys", "snapshots", "index", "data"] as const;

let folder: TestFolder;
let pristine: string;
let vault: string;
/** By snapshot: two versions of the same paths, so that what is exchanged would fit. */
const written = new Map<string, ReadonlyMap<string, Buffer>>();

beforeAll(async () => {
  folder = await createTestFolder("refloat-wrong-bytes");
  pristine = `${folder.path}/pristine`;
  vault = `${folder.path}/vault`;
  const repository = await createRepository(pristine, password, environment);
  try {
    for (const version of ["one", "two"]) {
      const contents = new Map([
        ["/shop/large", noise(1_200_000, version)],
        ["/shop/small", Buffer.from(`version ${version}`)],
      ]);
      const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/shop"] });
      for (const [path, content] of contents) await writer.bytes(path, content);
      written.set((await writer.commit()).id, contents);
    }
  } finally {
    await repository.close();
  }
});

afterAll(async () => folder.remove());

type Damage =
  | { readonly act: "flip"; readonly at: number; readonly bit: number }
  | { readonly act: "cut" | "repeat"; readonly at: number }
  | { readonly act: "exchange" | "replace"; readonly other: number }
  | { readonly act: "remove" };

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ act: fc.constant("flip" as const), at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ act: fc.constantFrom("cut" as const, "repeat" as const), at: fc.nat() }),
  fc.record({ act: fc.constantFrom("exchange" as const, "replace" as const), other: fc.nat() }),
  fc.record({ act: fc.constant("remove" as const) }),
);

const filesOf = async (kind: (typeof kinds)[number]): Promise<readonly string[]> => {
  if (kind === "config") return [join(vault, "config")];
  const names = await readdir(join(vault, kind), { recursive: true });
  return names
    .filter((name) => name.length >= 64)
    .sort()
    .map((name) => join(vault, kind, name));
};

const write = async (path: string, content: Uint8Array): Promise<void> => {
  await chmod(path, 0o600);
  await writeFile(path, content);
};

const inflict = async (files: readonly string[], which: number, what: Damage): Promise<void> => {
  const path = files[which % files.length];
  if (path === undefined) return;
  const content = await readFile(path).catch(() => undefined);
  // Gone by the first wound.
  if (content === undefined || content.length === 0) return;
  switch (what.act) {
    case "flip": {
      const at = what.at % content.length;
      content[at] = (content[at] ?? 0) ^ (1 << what.bit);
      return write(path, content);
    }
    case "cut":
      return write(path, content.subarray(0, what.at % content.length));
    case "repeat":
      return write(path, Buffer.concat([content, content.subarray(what.at % content.length)]));
    case "remove":
      return rm(path);
    case "exchange":
    case "replace": {
      const other = files[what.other % files.length] ?? path;
      const theirs = await readFile(other);
      await write(path, theirs);
      if (what.act === "exchange") await write(other, content);
      return undefined;
    }
  }
};

/** @returns the codes of the errors met; throws at a wrong byte */
const readEverything = async (): Promise<readonly string[]> => {
  const codes: string[] = [];
  const orError = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof RefloatError)) throw error;
      codes.push(error.code);
    }
  };
  await orError(async () => {
    const repository = await openRepository(vault, password, environment);
    try {
      for (const [id, contents] of written) {
        await orError(async () => {
          const reader = await repository.openSnapshot(id);
          for (const [path, content] of contents) {
            await orError(async () => {
              const same = Buffer.from(await reader.read(path)).equals(content);
              expect(same, `${path} of ${id} has a wrong byte`).toBe(true);
            });
            await orError(async () => {
              let at = 0;
              for await (const part of reader.stream(path, { offset: 3, length: content.length - 3 })) {
                expect(content.subarray(3 + at, 3 + at + part.length).equals(part)).toBe(true);
                at += part.length;
              }
              expect(at).toBe(content.length - 3);
            });
          }
          const target = `${folder.path}/restored`;
          await rm(target, { recursive: true, force: true });
          await orError(async () => {
            await reader.extract("/shop", target, never);
            for (const [path, content] of contents)
              expect((await readFile(join(target, path.slice("/shop".length)))).equals(content)).toBe(true);
          });
        });
      }
    } finally {
      await repository.close();
    }
  });
  return codes;
};

const clear: ReadonlySet<string> = new Set([
  "vault.damaged",
  "vault.not-found",
  "vault.unsupported",
  "vault.wrong-password",
  "point.unknown",
]);

describe("a damaged vault", () => {
  it.each(kinds)("hands out no wrong byte, whatever happens to its %s", async (kind) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(), damage), { minLength: 1, maxLength: 2 }), async (wounds) => {
        await rm(vault, { recursive: true, force: true });
        await cp(pristine, vault, { recursive: true });
        for (const [which, what] of wounds) await inflict(await filesOf(kind), which, what);
        const codes = await readEverything();
        expect(codes.filter((code) => !clear.has(code))).toEqual([]);
      }),
      { numRuns: 4 },
    );
  });
});
