/** Which moment a mark's name or a run's number means. Pure; what is known of marks and runs is given. */
import type { PointChoice } from "../../model/plan.ts";
import { shortId } from "../../model/identifiers.ts";
import type { Mark } from "../../model/mark.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { nearestWord } from "../declaration/nearest-word.ts";
import type { RunMoment } from "../run/run-moment.ts";
import { shellWord } from "../text/shell-word.ts";
import { type AtExpression, parseAt } from "../time/at-expression.ts";

type MarkChoice = Extract<PointChoice, { readonly kind: "mark" }>;
type RunChoice = Extract<PointChoice, { readonly kind: "run" }>;

const plain = (name: string): string => name.trim().replaceAll(/\s+/g, " ").toLowerCase();

const listed = ({ name, at }: Mark): string => `"${name}" (${at})`;

/** Newest moment first. */
const newestFirst = (marks: readonly Mark[]): readonly Mark[] =>
  marks.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at) || b.recordedAt.localeCompare(a.recordedAt));

/** By name whatever its case, with or without "the"; else by the beginning of an id. Newest first. */
export const findMarks = (marks: readonly Mark[], name: string): readonly Mark[] => {
  const wanted = plain(name);
  const called = (other: string) => newestFirst(marks).filter((mark) => plain(mark.name) === other);
  const exact = called(wanted);
  if (exact.length > 0) return exact;
  const bare = called(wanted.replace(/^the /, ""));
  if (bare.length > 0) return bare;
  return /^[0-9a-f]{4,64}$/.test(wanted) ? newestFirst(marks).filter(({ id }) => id.startsWith(wanted)) : [];
};

/** @param notTime why the name is no time either, where it may have been meant as one */
export const unknownMark = (
  marks: readonly Mark[],
  name: string,
  service: string,
  notTime: string | null = null,
): RefloatError => {
  const ordered = newestFirst(marks);
  const names = [...new Set(ordered.map((mark) => mark.name))];
  const near = nearestWord(name, names);
  const meant = ordered.find((mark) => mark.name === near);
  const known = ordered.slice(0, 4).map(listed).join(", ");
  const hint =
    ordered.length === 0
      ? `refloat mark ${service} "NAME" names a moment; none was named yet`
      : meant === undefined
        ? `its marks are ${known}${ordered.length > 4 ? ", ..." : ""}`
        : `did you mean ${listed(meant)}?`;
  const why = notTime === null ? "" : `, and as a time it cannot be read: ${notTime}`;
  return new RefloatError("mark.unknown", `${service} has no mark "${name}"${why}`, {
    hint,
    nextCommand: ordered.length === 0 ? `refloat points ${service}` : `refloat mark ${service}`,
    context: { name, marks: names.slice(0, 20) },
  });
};

/** The newest mark of that name. @throws RefloatError mark.unknown */
export const markedMoment = (
  { name, notTime }: Extract<AtExpression, { readonly kind: "before-mark" }>,
  marks: readonly Mark[],
  service: string,
): MarkChoice => {
  const [mark, ...others] = findMarks(marks, name);
  if (mark === undefined) throw unknownMark(marks, name, service, notTime);
  const rest = others.map(({ id, at }) => ({ id, at }));
  const { id, name: called, at, aligned } = mark;
  return { kind: "mark", id, name: called, at, others: rest, ...(aligned === undefined ? {} : { aligned }) };
};

/**
 * What `--at` said cannot be read; where it is what a mark is called, the answer is the words for it: of the name alone nobody can tell on which
 * side the point is to be.
 */
export const asMarkName = (unclear: RefloatError, text: string, marks: readonly Mark[]): RefloatError => {
  const [mark] = findMarks(marks, text);
  if (mark === undefined) return unclear;
  const words = shellWord(`before ${mark.name}`);
  return new RefloatError("time.unclear", `"${text}" is what a mark is called (${mark.at}), and no time`, {
    cause: unclear,
    hint: `the last point from before it: --at ${words}`,
    nextCommand: `refloat plan ${mark.service} --at ${words}`,
  });
};

/**
 * A moment itself, not what came before it: a time, or what a mark is called.
 * @returns ISO @throws RefloatError time.unclear, mark.unknown
 */
export const readMoment = (
  text: string,
  { now, timeZone }: { readonly now: Date; readonly timeZone: string },
  marks: readonly Mark[],
  service: string,
): string => {
  const meant = parseMoment(text, now, timeZone);
  if (meant.kind === "instant") return meant.instant;
  if (meant.kind === "before-mark") return markedMoment(meant, marks, service).at;
  throw new RefloatError("time.unclear", `"${text}" is no time, and no mark of ${service} is called so`, {
    hint: 'a time or what a mark is called: "20 minutes ago", 14:05, 2026-11-20T14:05:00Z, "upgrade 2.5.0"',
    nextCommand: `refloat mark ${service}`,
  });
};

/** What is no time is what a mark is called. */
const parseMoment = (text: string, now: Date, timeZone: string): AtExpression => {
  try {
    return parseAt(text, now, timeZone);
  } catch (error) {
    if (!(error instanceof RefloatError && error.code === "time.unclear") || text.trim() === "") throw error;
    const named = parseAt(`before ${text}`, now, timeZone);
    // In the future, on an hour that was skipped: then it is a time, and a wrong one.
    if (named.kind !== "before-mark") throw error;
    return named;
  }
};

/** @throws RefloatError run.unknown, point.ambiguous */
export const runMomentOf = (
  { run }: Extract<AtExpression, { readonly kind: "before-run" }>,
  runs: readonly RunMoment[],
  service: string,
): RunChoice => {
  const fitting = runs.filter(({ number, uid }) => String(number) === run || (run.length >= 8 && uid.startsWith(run)));
  const [found, second] = fitting.filter((moment) => moment.service === service);
  const [foreign] = fitting;
  if (found === undefined) {
    const unknown = `no run ${run} of ${service} is known, neither here nor in the vault`;
    const other = foreign === undefined ? unknown : `run ${run} recovered ${foreign.service}, not ${service}`;
    throw new RefloatError("run.unknown", other, { nextCommand: "refloat runs" });
  }
  if (second !== undefined) {
    const shown = fitting.map(({ uid, beganAt }) => `${shortId(uid)} (${beganAt})`).join(", ");
    throw new RefloatError("run.unknown", `${fitting.length} runs of ${service} have the number ${run}: ${shown}`, {
      hint: `they were begun on several machines; name one by its uid: --at "before run ${shortId(found.uid)}"`,
      nextCommand: "refloat runs",
    });
  }
  const { number, uid, beganAt, changedAt } = found;
  return { kind: "run", run: number, uid, at: changedAt ?? beganAt, changed: changedAt !== null };
};
