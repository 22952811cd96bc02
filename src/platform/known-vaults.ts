/**
 * Which vault this machine has last opened where. A place that is empty now is then told from one that never had a vault: its disk is
 * not mounted, more often than not, and a second vault made in its stead would split the history in two. One small file for each place in
 * the state folder; a help for noticing, which may be lost.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Clock, Log } from "../core/ports/environment.ts";
import { shellWord } from "../core/text/shell-word.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { unmountedAbove } from "./mount-points.ts";
import { makeStateFolder } from "./state-directories.ts";

const knownSchema = z.object({
  location: z.string(),
  id: z.string().regex(/^[0-9a-f]{8,}$/),
  seenAt: z.iso.datetime(),
});

/** @property seenAt ISO 8601, to some minutes */
export type KnownVault = z.infer<typeof knownSchema>;

/** A place where a vault is opened or made. */
export type VaultPlace = {
  /** Spelt alike by whoever names the same place. */
  readonly location: string;
  /** Of a vault in a folder; null of one on a server. */
  readonly folder: string | null;
  /** What makes a new vault here, to be ended by its id: `refloat vault init --in-place-of`. */
  readonly anew: string;
};

type Opened = { readonly id: string };

export type KnownVaults = {
  /** @throws RefloatError vault.away where what is opened finds nothing, and there was a vault */
  readonly finding: <Vault>(place: VaultPlace, open: () => Promise<Vault>) => Promise<Vault>;
  /** As finding, and remembers what was opened. */
  readonly opening: <Vault extends Opened>(place: VaultPlace, open: () => Promise<Vault>) => Promise<Vault>;
  /**
   * @param inPlaceOf first letters of the id of the vault that is given up, or null
   * @param isThere whether there is a vault now, of whatever id
   * @throws RefloatError vault.away where another one was and is not named, usage if what is named was not there
   */
  readonly making: <Vault extends Opened>(
    place: VaultPlace,
    options: {
      readonly inPlaceOf: string | null;
      readonly isThere: () => Promise<boolean>;
      readonly make: () => Promise<Vault>;
    },
  ) => Promise<Vault>;
};

/** Most commands open the vault; a file is not written by each of them. */
const freshMs = 5 * 60_000;

export const createKnownVaults = (options: {
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Where mounts are declared. */
  readonly fstab?: string;
}): KnownVaults => {
  const { stateDirectory, clock, log, fstab = "/etc/fstab" } = options;
  const folder = join(stateDirectory, "vaults", "places");
  const fileOf = (location: string): string =>
    join(folder, `${createHash("sha256").update(location).digest("hex")}.json`);

  const recall = async (location: string): Promise<KnownVault | null> => {
    const file = fileOf(location);
    try {
      return knownSchema.parse(JSON.parse(await readFile(file, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        log.warn("which vault was where cannot be read, and is forgotten", { file, error: String(error) });
      return null;
    }
  };

  /** A vault that opens is of use without it. */
  const remember = async (location: string, id: string): Promise<void> => {
    const now = clock.now();
    const before = await recall(location);
    if (before?.id === id && Math.abs(now.getTime() - Date.parse(before.seenAt)) < freshMs) return;
    if (before !== null && before.id !== id)
      log.warn("another vault than before is at this place", { location, id, before: before.id });
    try {
      await makeStateFolder(folder);
      const known: KnownVault = { location, id, seenAt: now.toISOString() };
      await writeFileAtomically(fileOf(location), JSON.stringify(known));
    } catch (error) {
      log.warn("which vault is where cannot be remembered", { location, error: String(error) });
    }
  };

  const away = async (known: KnownVault, place: VaultPlace, cause: unknown): Promise<RefloatError> => {
    const id = known.id.slice(0, 8);
    const unmounted = place.folder === null ? null : await unmountedAbove(place.folder, fstab);
    const likely =
      unmounted !== null
        ? `${fstab} puts a disk of its own at ${unmounted}, and none is mounted there: mount it`
        : place.folder !== null
          ? "its disk is probably not mounted: mount it"
          : "its disk may not be mounted on the server, or the address leads elsewhere now";
    return new RefloatError(
      "vault.away",
      `vault ${id} was at ${place.location} on ${known.seenAt.slice(0, 16)}Z, and is not there now`,
      {
        cause,
        context: { id: known.id, location: place.location, seenAt: known.seenAt },
        state: "nothing was changed, and no new vault was made",
        hint: `${likely}; only if it is lost for good, make another one in its place: ${place.anew} ${id}`,
        nextCommand: unmounted === null ? "refloat status" : `mount ${shellWord(unmounted)}`,
      },
    );
  };

  const finding: KnownVaults["finding"] = async (place, open) => {
    try {
      return await open();
    } catch (error) {
      const known = isMissing(error) ? await recall(place.location) : null;
      throw known === null ? error : await away(known, place, error);
    }
  };

  return {
    finding,

    opening: async (place, open) => {
      const vault = await finding(place, open);
      await remember(place.location, vault.id);
      return vault;
    },

    making: async (place, { inPlaceOf, isThere, make }) => {
      const known = await recall(place.location);
      if (inPlaceOf !== null && (inPlaceOf.length < 8 || known?.id.startsWith(inPlaceOf) !== true)) {
        throw new RefloatError(
          "usage",
          known === null
            ? `this machine knows of no vault that was at ${place.location}`
            : `the vault that was at ${place.location} is ${known.id.slice(0, 8)}, not ${inPlaceOf}`,
          { state: "nothing was changed", hint: "--in-place-of names the vault that is given up by its id" },
        );
      }
      // One that is there is refused in the words of whoever would write over it.
      if (known !== null && inPlaceOf === null && !(await isThere())) throw await away(known, place, undefined);
      const vault = await make();
      await remember(place.location, vault.id);
      return vault;
    },
  };
};

/** One that was deleted in a bucket with versions is told better by who can still see it. */
const isMissing = (error: unknown): boolean =>
  error instanceof RefloatError && error.code === "vault.not-found" && !("lastSeenAt" in error.context);
