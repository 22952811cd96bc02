/** A repair as the command makes it: rounds of looking and mending, until nothing is left to mend. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Repository } from "../../../src/core/ports/vault.ts";

const never = new AbortController().signal;
const mostRounds = 4;

/** @param copy fetched from @param evidence a folder for what is taken out */
export const mendVault = async (repository: Repository, copy: Repository, evidence: string): Promise<void> => {
  const keepEvidence = async (name: string, content: Uint8Array): Promise<string> => {
    await writeFile(join(evidence, name), content);
    return join(evidence, name);
  };
  const source = await copy.copies();
  try {
    for (let round = 0; round < mostRounds; round += 1) {
      const report = await repository.verify({ depth: "read-data" }, never);
      if (report.findings.every(({ severity }) => severity !== "error")) return;
      await repository.repair(report, { apply: true, sources: [source], keepEvidence }, never);
    }
  } finally {
    source.release();
  }
};
