/** mount: a recovery point as folders. */
import { resolve } from "node:path";
import { z } from "zod";
import { eventEnvelope } from "../../contract/envelope.ts";
import { shortId } from "../../model/identifiers.ts";
import { type Mounted, mountPoint } from "../../operations/mount.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { formatList } from "../../core/text/quantity.ts";
import { answer, defineCommand } from "../command.ts";
import { pointArgument } from "../words.ts";

export const mountCommand = defineCommand({
  name: "mount",
  group: "Just one thing",
  summary: "a recovery point as folders, read-only",
  about: [
    "Shows a point under DIR, with one folder for each component, until Ctrl-C (or another signal) ends it; then nothing of it is left. DIR is an " +
      "empty folder, or one that is not there yet. Nothing can be written there. Databases appear as the files of their pg_dump archive.",
    "Needs FUSE (the Debian package fuse3) and stock restic 0.14 or newer, which reads our vaults as its own; refused where either is missing. The " +
      "password reaches restic through an open file without a name, never through its command line. Links inside a point lead where they led on " +
      "the machine that was captured. Changes nothing.",
  ],
  arguments: [
    pointArgument,
    { name: "DIR", about: "an empty folder, or one to be made", required: true, completes: "files" },
  ],
  options: [],
  examples: [{ line: "refloat mount 7f3a91c2 /mnt/shop", about: "look around in /mnt/shop from another window" }],
  exits: [3, 4, 7],
  input: z.object({ point: z.string(), dir: z.string().min(1) }),
  act: async ({ point, dir }, { bench: open, output, shell, signal }) => {
    const bench = await open();
    const directory = resolve(shell.currentDirectory, dir);
    const ready = (mounted: Mounted): void => {
      output.event(eventEnvelope("mount", mountData(mounted)));
      output.say(
        `point ${shortId(mounted.point.id)} of ${mounted.point.manifest.service} is under ${shellWord(directory)}: ${formatList(mounted.components, 12)}`,
      );
      if (mounted.missing.length > 0) output.note(`warning lost and not shown: ${formatList(mounted.missing, 12)}`);
      output.note("Ctrl-C ends it");
    };
    const mounted = await mountPoint(bench, { point, directory }, ready, signal);
    return answer("mount", mountData(mounted), `${shellWord(directory)} is no longer mounted`);
  },
});

const mountData = ({ point, directory, components, missing }: Mounted) => ({
  point: point.id,
  service: point.manifest.service,
  directory,
  components: [...components],
  missing: [...missing],
});
