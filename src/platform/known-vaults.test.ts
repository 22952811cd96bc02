import { chmod, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RefloatError } from "../model/refloat-error.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { type KnownVaults, createKnownVaults } from "./known-vaults.ts";
import { silentLog } from "./log.ts";
import { unmountedAbove } from "./mount-points.ts";

const id = "3c71e0aa".repeat(8);
const other = "5d0c88e1".repeat(8);

let folder: TestFolder;
let known: KnownVaults;
let fstab: string;

const place = (location = "/mnt/vault", at: string | null = location) => ({
  location,
  folder: at,
  anew: "refloat vault init --in-place-of",
});

const notFound = async (): Promise<never> => {
  throw new RefloatError("vault.not-found", "there is no vault");
};

const make = (isThere: boolean, inPlaceOf: string | null = null) => ({
  inPlaceOf,
  isThere: async () => isThere,
  make: async () => ({ id: other }),
});

beforeEach(async () => {
  folder = await createTestFolder("refloat-known");
  fstab = join(folder.path, "fstab");
  await writeFile(fstab, "# none\n");
  known = createKnownVaults({ stateDirectory: folder.path, clock: new VirtualClock(), log: silentLog, fstab });
});

afterEach(async () => folder.remove());

describe("a vault that this machine has opened", () => {
  it("is missed by its id where it was, and only there", async () => {
    await expect(known.opening(place(), notFound)).rejects.toMatchObject({ code: "vault.not-found" });
    expect(await known.opening(place(), async () => ({ id }))).toEqual({ id });
    await expect(known.opening(place(), notFound)).rejects.toMatchObject({
      code: "vault.away",
      message: "vault 3c71e0aa was at /mnt/vault on 2026-03-01T16:12Z, and is not there now",
      state: "nothing was changed, and no new vault was made",
      hint: "its disk is probably not mounted: mount it; only if it is lost for good, make another one in its place: refloat vault init --in-place-of 3c71e0aa",
      nextCommand: "refloat status",
    });
    await expect(known.finding(place(), notFound)).rejects.toMatchObject({ code: "vault.away" });
    await expect(known.finding(place("/elsewhere"), notFound)).rejects.toMatchObject({ code: "vault.not-found" });
    await expect(known.finding(place("/mnt/vault", null), notFound)).rejects.toMatchObject({
      hint: expect.stringContaining("on the server"),
    });
  });

  it("is told by whoever still sees it in a bucket, and every other error stays as it is", async () => {
    await known.opening(place(), async () => ({ id }));
    for (const error of [
      new RefloatError("vault.not-found", "deleted", { context: { lastSeenAt: "2026-03-01T16:00:00.000Z" } }),
      new RefloatError("vault.denied", "refused"),
    ])
      await expect(known.opening(place(), () => Promise.reject(error))).rejects.toBe(error);
  });

  it("is not replaced by a new one unless it is given up by name", async () => {
    await known.opening(place(), async () => ({ id }));
    await expect(known.making(place(), make(false))).rejects.toMatchObject({ code: "vault.away" });
    for (const wrong of ["5d0c88e1", "3c71", ""])
      await expect(known.making(place(), make(false, wrong))).rejects.toMatchObject({
        code: "usage",
        message: `the vault that was at /mnt/vault is 3c71e0aa, not ${wrong}`,
      });
    await expect(known.making(place("/elsewhere"), make(false, "3c71e0aa"))).rejects.toMatchObject({ code: "usage" });
    expect(await known.making(place(), make(false, "3c71e0aa"))).toEqual({ id: other });
    await expect(known.finding(place(), notFound)).rejects.toMatchObject({ context: { id: other } });
  });

  it("is refused as one that is there by whoever makes vaults, not as one that is away", async () => {
    await known.opening(place(), async () => ({ id }));
    const exists = new RefloatError("vault.exists", "there is one");
    const refused = { ...make(true), make: () => Promise.reject(exists) };
    await expect(known.making(place(), refused)).rejects.toBe(exists);
  });

  it("opens where it cannot be remembered, and is forgotten where what was written cannot be read", async () => {
    await writeFile(join(folder.path, "vaults"), "a file where a folder should be");
    expect(await known.opening(place(), async () => ({ id }))).toEqual({ id });
    const clock = new VirtualClock();
    const again = createKnownVaults({ stateDirectory: join(folder.path, "b"), clock, log: silentLog, fstab });
    await again.opening(place(), async () => ({ id }));
    const places = join(folder.path, "b/vaults/places");
    const [file = ""] = await readdir(places);
    const written = await readFile(join(places, file), "utf8");
    await again.opening(place(), async () => ({ id }));
    expect(await readFile(join(places, file), "utf8")).toBe(written);
    await chmod(join(places, file), 0o600);
    await writeFile(join(places, file), "{");
    await expect(again.opening(place(), notFound)).rejects.toMatchObject({ code: "vault.not-found" });
  });

  it("is looked for on the disk that is declared for its folder, and is mounted by a command that can be typed", async () => {
    const disk = join(folder.path, "my disk");
    await mkdir(disk);
    await writeFile(
      fstab,
      `# /dev/x ${folder.path}/my\\040disk/deeper ext4\nUUID=1 / ext4\n/dev/sdb1\t${disk.replace(" ", "\\040")}/ ext4 noauto 0 0\nproc /proc proc\nswap none swap\n`,
    );
    await known.opening(place(join(disk, "vault")), async () => ({ id }));
    await expect(known.finding(place(join(disk, "vault")), notFound)).rejects.toMatchObject({
      hint: expect.stringContaining(`puts a disk of its own at ${disk}, and none is mounted there: mount it`),
      nextCommand: `mount '${disk}'`,
    });
    // What is mounted is not asked for, and neither is a folder whose name only begins alike.
    expect(await unmountedAbove("/proc/1/vault", fstab)).toBeNull();
    expect(await unmountedAbove(`${disk}s/vault`, fstab)).toBeNull();
    expect(await unmountedAbove(disk, join(folder.path, "no-such-file"))).toBeNull();
  });
});
