/** Who was told what, and who could not be. */
import { formatMinute } from "./clock-times.ts";
import { type Screen, lines } from "./screen.ts";

export type NotifiedData = {
  readonly overdue: readonly { readonly service: string; readonly since: string }[];
  readonly outcomes: readonly { readonly target: string; readonly event: string; readonly problem: string | null }[];
};

export const renderNotified = ({ overdue, outcomes }: NotifiedData, now: string, screen: Screen): string =>
  lines(
    overdue.map(({ service, since }) => `${service} is overdue since ${formatMinute(since, now, screen.timeZone)}`),
    outcomes.map(({ target, event, problem }) =>
      problem === null
        ? `${screen.paint("green", "told")}    ${event}  ${target}`
        : `${screen.paint("red", "FAILED")}  ${event}  ${target}: ${problem}`,
    ),
    outcomes.length === 0
      ? overdue.length === 0
        ? "nothing is overdue"
        : "it was told before, or nobody listens to it"
      : null,
  );
