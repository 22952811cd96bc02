/** What was put into the recovered side, and what is left for a person. */
import { formatAmount } from "../core/text/quantity.ts";
import { type MendProposal, rowsPutBack } from "../model/mend.ts";
import { shortDigest } from "./mend-screen.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type ReconciledOnScreen = {
  readonly service: string;
  readonly run: number;
  readonly batches: readonly (MendProposal & { readonly component: string; readonly applied: boolean })[];
  readonly left: readonly { readonly component: string; readonly side: string; readonly why: string }[];
  readonly apply: boolean;
};

export const renderReconciled = (
  { service, run, batches, left, apply }: ReconciledOnScreen,
  screen: Screen,
): string => {
  const waiting = batches.filter((batch) => !batch.applied && rowsPutBack(batch) > 0);
  const nothing = batches.every((batch) => rowsPutBack(batch) === 0);
  return lines(
    nothing && batches.length > 0
      ? `the recovered side has every row that was added to the old side of run ${run}, as far as they can be compared`
      : null,
    left.map(
      ({ component, side, why }) =>
        `LEFT     ${component}: ${why}; its old side is ${side}, and what is known of what was written to it is in the report`,
    ),
    apply ? null : waiting.length === 0 ? null : `${formatAmount(waiting.length, "batches")} written and not run`,
    nextLine(
      screen,
      ...waiting.map(({ digest }) => `refloat mend ${service} --proposal ${shortDigest(digest)}`),
      `refloat runs ${run}`,
    ),
  );
};
