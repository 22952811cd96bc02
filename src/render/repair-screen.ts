/** What a repair will do, or has done: from where blobs come, what is replaced, what nobody has, and where the evidence is. */
import type { RepairReport } from "../core/ports/vault-verification.ts";
import { formatAmount, formatList } from "../core/text/quantity.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines } from "./screen.ts";

export const renderRepair = (report: RepairReport, screen: Screen): string => {
  const { applied, blobs, evidence, refused } = report;
  const from = [
    ...(blobs.copied === 0 ? [] : [`${formatAmount(blobs.copied, "blobs")} that another pack has`]),
    ...(blobs.salvaged === 0 ? [] : [`${formatAmount(blobs.salvaged, "blobs")} from the damaged packs themselves`]),
    ...Object.entries(blobs.fetched).map(([name, count]) => `${formatAmount(count, "blobs")} from ${name}`),
  ];
  const replaced = [
    ...(report.packsIndexed === 0 ? [] : [`${formatAmount(report.packsIndexed, "packs")} taken in by their headers`]),
    ...(report.indexesRebuilt === 0 ? [] : [`${formatAmount(report.indexesRebuilt, "indexes")} written anew`]),
    ...(report.packsReplaced === 0 ? [] : [`${formatAmount(report.packsReplaced, "damaged packs")} taken out`]),
  ];
  const word = screen.paint("bold", applied ? "repaired" : "repair");
  return lines(
    hanging(`${word}: `, [...from, ...replaced].join("; ") || "nothing", screen),
    blobs.lost === 0
      ? []
      : `${formatAmount(blobs.lost, "blobs")} can be had from nowhere that was asked: --from another copy of the vault, or a new ` +
          "capture while the source still has them",
    refused.length === 0
      ? []
      : `${formatAmount(refused.length, "damaged files")} stay beside the sound copies: ${formatList([...new Set(refused.map(({ reason }) => reason))])}`,
    evidence.length === 0 ? [] : `kept as evidence: ${formatList(evidence)}`,
    applied ? [] : "what is taken out is kept in the state folder first; points that are sound stay as they are",
  );
};

/** Is there anything that the repair would change? */
export const isRepairable = ({ indexesRebuilt, packsIndexed, packsReplaced, blobs }: RepairReport): boolean =>
  indexesRebuilt + packsIndexed + packsReplaced + Object.values(blobs.fetched).reduce((sum, count) => sum + count, 0) >
  0;
