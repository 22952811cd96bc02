/** The list of runs, newest first: what was recovered, how it ended, how long it took. */
import { keptSides } from "../core/run/kept-sides.ts";
import { formatList } from "../core/text/quantity.ts";
import { shortName } from "../core/text/short-name.ts";
import { shortId } from "../model/identifiers.ts";
import type { RunRecord, RunState } from "../model/run.ts";
import { formatSpan, formatTime } from "./clock-times.ts";
import { type Screen, type Style, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

const stateWords = {
  running: { text: "running", style: "cyan" },
  waiting: { text: "waits for an answer", style: "yellow" },
  interrupted: { text: "INTERRUPTED", style: "yellow" },
  succeeded: { text: "done", style: "green" },
  failed: { text: "failed, live untouched", style: "red" },
  undone: { text: "failed, undone", style: "red" },
  "needs-operator": { text: "NEEDS A PERSON", style: "red" },
  cancelled: { text: "cancelled", style: "dim" },
  committed: { text: "done, old side dropped", style: "green" },
} as const satisfies Record<RunState, { readonly text: string; readonly style: Style }>;

const stateOf = ({ state, purpose, message }: RunRecord) => {
  if (state === "committed" && purpose === "undo") return { ...stateWords.committed, text: "done, left side dropped" };
  // Taken back by a run of its own after it had succeeded: nothing has failed.
  if (state === "undone" && message?.startsWith("undone by") === true) return { text: "undone", style: "dim" as const };
  return stateWords[state];
};

/** What a run has put away and nobody has dropped yet. */
const keptWords = (run: RunRecord): string => {
  const kept = run.state === "succeeded" ? keptSides(run) : [];
  return kept.length === 0 ? "" : `keeps ${formatList(kept.map(({ name }) => shortName(name)))}`;
};

/** `with 41`: those that were begun together with it. */
const withOthers = ({ joint, uid }: RunRecord, runs: readonly RunRecord[]): readonly string[] => {
  const others = (joint?.members ?? []).flatMap((member) =>
    member.uid === uid ? [] : [String(runs.find((run) => run.uid === member.uid)?.number ?? member.service)],
  );
  return others.length === 0 ? [] : [`with ${formatList(others)}`];
};

/**
 * @param now ISO 8601
 * @param words that work on the run that waits; empty where none does
 */
export const renderRuns = (
  runs: readonly RunRecord[],
  words: readonly string[],
  now: string,
  screen: Screen,
): string => {
  const [newest] = runs;
  if (newest === undefined) return lines("no run yet", nextLine(screen, "refloat status"));
  return lines(
    renderTable(
      [
        { title: "RUN", align: "right" },
        { title: "SERVICE" },
        { title: "WHAT" },
        { title: "BEGAN" },
        { title: "TOOK", align: "right" },
        { title: "PLAN" },
        { title: "STATE" },
        { title: "", wraps: true },
      ],
      runs.map((run) => [
        String(run.number),
        run.service,
        [run.purpose, ...withOthers(run, runs)].join(" "),
        formatTime(run.beganAt, now, screen.timeZone),
        formatSpan(Date.parse(run.endedAt ?? now) - Date.parse(run.beganAt)),
        shortId(run.digest),
        stateOf(run),
        run.message ?? keptWords(run),
      ]),
      screen,
    ),
    nextLine(screen, ...(words.length === 0 ? [`refloat runs ${newest.number}`] : words)),
  );
};
