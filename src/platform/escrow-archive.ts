/**
 * What is inside a bundle, once its seal is open: a tar archive with the secrets as files of mode 0600 and `escrow.json`, which says where each was
 * read. A tar, so that `age --decrypt | tar -x` is enough where there is nothing else.
 */
import { createHash } from "node:crypto";
import { Parser, type ReadEntry } from "tar";
import { z } from "zod";
import type { ByteStream } from "../core/ports/bytes.ts";
import type { EscrowContents, EscrowItem } from "../core/ports/escrow.ts";
import type { ArchiveEntry } from "../core/ports/new-places.ts";
import { sha256Schema } from "../model/audit-entry.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { tarArchive } from "./tar-archive.ts";

const indexName = "escrow.json";
/** It is held in memory, and is for passwords and keys. */
const mostBytes = 16 * 1024 * 1024;

const indexSchema = z.object({
  schemaVersion: z.literal(1),
  sealedAt: z.iso.datetime(),
  host: z.string(),
  vault: z.string(),
  items: z.array(z.object({ name: z.string(), source: z.string(), sha256: sha256Schema })),
});

const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

const entryOf = (name: string, content: Uint8Array, at: Date): ArchiveEntry => ({
  name: Buffer.from(name),
  entry: {
    name: Buffer.from(name),
    type: "file",
    mode: 0o600,
    uid: 0,
    gid: 0,
    user: "",
    group: "",
    sizeBytes: content.length,
    modifiedNs: BigInt(at.getTime()) * 1_000_000n,
    linkTarget: null,
    treeId: null,
    contentId: null,
    pieces: [],
    linkId: null,
    device: null,
  },
  content: (async function* whole(): ByteStream {
    yield content;
  })(),
  linkTo: null,
});

/** @throws RefloatError usage for more than a bundle is made for */
export const packEscrow = async ({ items, ...facts }: EscrowContents): Promise<Uint8Array> => {
  const bytes = items.reduce((sum, { content }) => sum + content.length, 0);
  if (bytes > mostBytes)
    throw new RefloatError("usage", `a bundle is for secrets, and takes ${mostBytes} bytes; these are ${bytes}`, {
      state: "nothing was changed",
      hint: "data belongs into a component",
    });
  const unfit = items.find(({ name }) => !isPlain(name));
  if (unfit !== undefined)
    throw new RefloatError("usage", `no bundle can hold the name ${JSON.stringify(unfit.name)}`, {
      state: "nothing was changed",
      hint: "give the file a name without line breaks and other control characters",
    });
  const index = {
    schemaVersion: 1,
    ...facts,
    items: items.map(({ name, source, content }) => ({ name, source, sha256: sha256(content) })),
  };
  const at = new Date(facts.sealedAt);
  const entries = async function* all(): AsyncGenerator<ArchiveEntry> {
    yield entryOf(indexName, Buffer.from(`${JSON.stringify(indexSchema.parse(index), null, 2)}\n`), at);
    for (const { name, content } of items) yield entryOf(name, content, at);
  };
  const parts: Uint8Array[] = [];
  for await (const part of tarArchive(entries(), "none")) parts.push(part);
  return Buffer.concat(parts);
};

const damaged = (why: string, cause?: unknown): RefloatError =>
  new RefloatError("vault.damaged", `the escrow bundle is not what was sealed: ${why}`, {
    cause,
    hint: "open an older one: --bundle names it",
  });

/**
 * Whoever has the public key can make a bundle: no name in it may lead out of the folder that it is written to. A line break in a name is one that
 * not every reader of archives takes.
 */
const isPlain = (name: string): boolean =>
  /^(?:files|env|commands)\//.test(name) &&
  !/\p{Cc}/u.test(name) &&
  name.split("/").every((part) => !["", ".", ".."].includes(part));

const filesIn = async (archive: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> => {
  const files = new Map<string, Uint8Array>();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry: ReadEntry) => {
      const parts: Buffer[] = [];
      entry.on("data", (part: Buffer) => parts.push(Buffer.from(part)));
      entry.on("end", () => {
        if (entry.type === "File" || entry.type === "OldFile") files.set(entry.path, Buffer.concat(parts));
        else reject(damaged(`it holds a ${entry.type}`));
      });
    },
  });
  parser.on("end", () => resolve(undefined));
  parser.on("error", (error: unknown) => reject(damaged("its archive cannot be read", error)));
  parser.end(Buffer.from(archive));
  await promise;
  return files;
};

/** @throws RefloatError vault.damaged, path.hostile */
export const unpackEscrow = async (archive: Uint8Array): Promise<EscrowContents> => {
  const files = await filesIn(archive);
  const index = readIndex(files.get(indexName));
  const items = index.items.map(({ name, source, sha256: expected }): EscrowItem => {
    if (!isPlain(name))
      throw new RefloatError("path.hostile", `the escrow bundle holds the name ${JSON.stringify(name)}`, {
        state: "nothing was written",
      });
    const content = files.get(name);
    if (content === undefined || sha256(content) !== expected) throw damaged(`${name} is missing or altered`);
    return { name, source, content };
  });
  const { sealedAt, host, vault } = index;
  return { sealedAt, host, vault, items };
};

const readIndex = (content: Uint8Array | undefined): z.infer<typeof indexSchema> => {
  if (content === undefined) throw damaged("it has no list of what is in it");
  try {
    return indexSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
  } catch (error) {
    throw damaged("its list of what is in it cannot be read", error);
  }
};
