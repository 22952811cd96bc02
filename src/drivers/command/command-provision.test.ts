/** Provision by lines: a folder that three lines make, inspect and remove. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describeProvisionContract } from "../../testing/provision-contract.ts";

describeProvisionContract({
  type: "command",
  declare: async (folder) => ({
    apply: `mkdir ${folder}/box && touch ${folder}/box/made`,
    inspect: `test -e ${folder}/box/made && echo done || { test -e ${folder}/box && echo partial || echo absent; }`,
    destroy: `rm -rf ${folder}/box`,
    outputs: { path: `echo ${folder}/box` },
  }),
  count: async ({ stateDirectory }) => (existsSync(join(stateDirectory, "box")) ? 1 : 0),
  killable: { leastPoints: 4, remove: true },
});
