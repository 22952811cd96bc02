/** vault init: make the vault that refloat.yaml names. */
import { z } from "zod";
import { initVault } from "../../operations/vault-init.ts";
import { nextLine } from "../../render/screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";

export const vaultInitCommand = defineCommand({
  name: "vault init",
  group: "Machinery",
  summary: "make the vault that the file names",
  about: [
    "Makes an empty vault at vault.url of refloat.yaml: a restic repository of format 2, encrypted with the password that vault.password " +
      "points to. Refused when there is one already. Without that password nobody can read the vault, you included: keep a copy of it " +
      "elsewhere, apart from the vault.",
    "Refused too where this machine has known a vault that is not there now: its disk is probably not mounted, and a second vault would " +
      "hide the first. --in-place-of says that it is lost for good.",
  ],
  arguments: [],
  options: [
    {
      name: "in-place-of",
      value: "VAULT",
      about: "give up the vault of this id, which was there and is lost, for a new one",
    },
  ],
  examples: [
    { line: "refloat vault init", about: "once, before the first capture" },
    { line: "refloat vault init --in-place-of 5d0c88e1", about: "its disk is lost for good" },
  ],
  exits: [3, 4],
  input: z.object({ inPlaceOf: z.string().nullable().default(null) }),
  act: async ({ inPlaceOf }, { bench: open, output }) => {
    const bench = await open();
    const made = await during(output, bench.clock, "making the vault", () => initVault(bench, inPlaceOf));
    const services = Object.keys((await bench.declaration()).services);
    return answer(
      "vault-init",
      made,
      [
        `Made vault ${made.id.slice(0, 8)} at ${made.location}`,
        "Keep a copy of its password elsewhere: without it nobody can read the vault.",
        nextLine(
          output.screen(bench.host.timeZone),
          services[0] === undefined ? "refloat validate" : `refloat capture ${services[0]}`,
        ),
      ].join("\n"),
    );
  },
});
