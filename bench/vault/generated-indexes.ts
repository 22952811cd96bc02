/** A repository of many blobs without their data: index files as stock restic and Refloat write them, and one snapshot to open. */
import { hash, randomBytes } from "node:crypto";
import { systemClock } from "../../src/platform/system-clock.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { writeIndex } from "../../src/vault/repository/format/index-file.ts";
import { openMasterKey } from "../../src/vault/repository/seal/key-file.ts";
import { Sealer } from "../../src/vault/repository/seal/seal.ts";
import { openStore } from "../../src/vault/repository/stores/open-store.ts";

export const generatedPassword = "generated";

const blobsPerIndex = 50_000;
/** Of about 400 KB each: packs of 16 MiB. */
const blobsPerPack = 40;

const generatePack = (blobs: number) => {
  // Ids are digests: random bytes are as good.
  const ids = randomBytes(blobs * 32).toString("hex");
  const packed = Array.from({ length: blobs }, (_, at) => ({
    id: ids.slice(at * 64, at * 64 + 64),
    type: at % 20 === 0 ? ("tree" as const) : ("data" as const),
    offset: at * 412_345,
    length: 412_345,
    plainLength: 812_345,
  }));
  return { id: hash("sha256", ids, "hex"), blobs: packed };
};

/** @param location an empty folder or none */
export const generateIndexes = async (location: string, blobs: number): Promise<void> => {
  const repository = await createRepository(location, generatedPassword, { clock: systemClock });
  try {
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });
    await writer.bytes("/a", Buffer.from("a"));
    await writer.commit();
  } finally {
    await repository.close();
  }
  const store = openStore(location, { blocking: false });
  const sealer = new Sealer(await openMasterKey(store, generatedPassword));
  for (let made = 0; made < blobs; made += blobsPerIndex) {
    const packs = [];
    for (let at = made; at < Math.min(blobs, made + blobsPerIndex); at += blobsPerPack) {
      packs.push(generatePack(Math.min(blobsPerPack, blobs - at)));
    }
    await writeIndex(store, sealer, 2, packs);
  }
  await store.close();
};
