/** The first screen at 3 a.m.: per service what users see, how old the last point is, what is wrong; and what to type next. */
import { asOf } from "../core/points/compose-points.ts";
import { describeStake } from "../core/declaration/stake.ts";
import { overdueSince } from "../core/points/overdue.ts";
import { keptSides } from "../core/run/kept-sides.ts";
import { rehearsedSides } from "../core/run/standing-beside.ts";
import { keepsRowsByHand } from "../core/run/lost-writes.ts";
import { formatAmount, formatList } from "../core/text/quantity.ts";
import { shortName } from "../core/text/short-name.ts";
import { formatDuration, parseDuration } from "../core/time/duration.ts";
import type { DisarmedComponent } from "../model/arming.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { Incident } from "../model/incident.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { CheckOutcome, SilentComponent } from "../model/outcome.ts";
import type { RunRecord } from "../model/run.ts";
import { cutText } from "./fit-text.ts";
import { formatMinute, formatSpan, zoneName } from "./clock-times.ts";
import { type Screen, type Style, asTypedOn, lines, nextLine } from "./screen.ts";
import { hasSideToPutBack } from "../core/run/refuse-undo.ts";
import { describeDisarmed } from "./rearm-screen.ts";
import { type Row, renderTable } from "./table.ts";

export type StatusScreenData = {
  /** ISO 8601. */
  readonly at: string;
  readonly vault: {
    readonly problem: string | null;
    readonly verification: { readonly at: string; readonly errors: number } | null;
    readonly gone: readonly string[];
  };
  readonly services: readonly ServiceState[];
};

export type ServiceState = {
  readonly service: ServiceDeclaration;
  readonly lastPoint: RecoveryPoint | null;
  /** What the probe says now; null when none is declared. */
  readonly probe: CheckOutcome | null;
  /** Components that do not answer. */
  readonly silent?: readonly SilentComponent[];
  /** Newest first. */
  readonly runs: readonly RunRecord[];
  /** Commands that work on the run that has stopped, the most sensible first. */
  readonly words?: readonly string[];
  /** RTO actual of the last run that put the service back; null before the first. */
  readonly lastRecovery: { readonly actualMs: number } | null;
  /** The one that is open. */
  readonly incident?: Incident | null;
  /** A freeze for a capture that goes on (`isKept`), or was not thawed. */
  readonly frozen?: {
    readonly sinceAt: string;
    readonly isKept: boolean;
    readonly failure: { readonly reason: string } | null;
  } | null;
  /** By component with a log, until when the vault has it. */
  readonly logs?: readonly { readonly component: string; readonly toAt: string; readonly leadsOn: boolean }[];
  /** What a recovery has switched off and nobody has armed. */
  readonly disarmed?: readonly DisarmedComponent[];
  readonly undisclosed?: readonly { readonly component: string; readonly problem: string }[];
  /** The moment that all data could be brought back to now; that of the last point when left out. */
  readonly recoverableTo?: string | null;
};

export const renderStatus = ({ at, vault, services }: StatusScreenData, screen: Screen): string => {
  const clock = `${formatMinute(at, at, screen.timeZone)} ${zoneName(at, screen.timeZone)}`;
  const health = healthOf(vault, at, screen);
  if (services.length === 0)
    return lines(`${clock}, ${health}`, "no service is declared", nextLine(screen, "refloat init"));
  return lines(
    `${clock}, ${health}`,
    renderTable(
      [
        { title: "SERVICE" },
        { title: "STATE" },
        { title: "LAST POINT" },
        { title: "RPO" },
        { title: "LAST RECOVERY" },
        { title: "PROBLEM", wraps: true },
      ],
      services.map((service) => rowOf(service, at, vault.problem === null, screen)),
      screen,
    ),
    nextLine(screen, ...nextCommands(services, vault.problem === null, at, screen.timeZone)),
  );
};

const healthOf = ({ problem, verification, gone }: StatusScreenData["vault"], at: string, screen: Screen): string => {
  if (problem !== null) return screen.paint("red", `VAULT: ${problem}`);
  if (gone.length > 0) {
    return screen.paint(
      "red",
      asTypedOn(
        screen,
        `VAULT: ${formatAmount(gone.length, "points")} gone that this machine has seen: refloat verify`,
      ),
    );
  }
  if (verification === null) return "vault ok, never verified";
  const ago = `${age(verification.at, at)} ago`;
  if (verification.errors === 0) return `vault ok, verified ${ago}`;
  return screen.paint("red", `VAULT: ${formatAmount(verification.errors, "errors")} when verified ${ago}`);
};

const unfinishedStates: ReadonlySet<RunRecord["state"]> = new Set([
  "running",
  "waiting",
  "interrupted",
  "needs-operator",
]);

const unfinished = (runs: readonly RunRecord[]): RunRecord | undefined =>
  runs.find(({ state }) => unfinishedStates.has(state));

/** Minutes are enough for ages; seconds only below one minute. */
const age = (fromIso: string, toIso: string): string => {
  const ms = Math.max(0, Date.parse(toIso) - Date.parse(fromIso));
  return formatDuration(ms < 60_000 ? Math.round(ms / 1000) * 1000 : Math.floor(ms / 60_000) * 60_000);
};

/** What users would be answered goes before what one component says. */
const isDown = ({ probe, silent = [] }: ServiceState): boolean =>
  probe === null || probe.status === "skipped" ? silent.some((one) => one.isDown) : probe.status === "failed";

const stateOf = (state: ServiceState, at: string): { readonly text: string; readonly style: Style } => {
  const { service, probe, runs } = state;
  if (!isDown(state)) {
    if (probe === null) return { text: "no probe", style: "dim" };
    if (probe.status === "skipped") return { text: "not asked", style: "yellow" };
    return { text: "ok", style: "green" };
  }
  const incidentAt = unfinished(runs)?.incidentAt ?? null;
  const { mtd } = service.objectives;
  const away = incidentAt === null ? "DOWN" : `DOWN ${age(incidentAt, at)}`;
  return { text: incidentAt === null || mtd === undefined ? away : `${away}, mtd ${mtd}`, style: "red" };
};

/** `12m of 1h`: what is, of what may be. */
const against = (actual: string, objective: string | undefined): string =>
  objective === undefined ? actual : `${actual} of ${objective}`;

const lastRecovery = (actual: ServiceState["lastRecovery"], objective: string | undefined): string => {
  if (actual === null) return objective === undefined ? "never" : `never, ${objective} wanted`;
  return against(formatSpan(actual.actualMs), objective);
};

/** A log that goes on says so every minute, whether anything is written or not. */
const silentMs = 5 * 60_000;

const agedAs = (point: RecoveryPoint | null): string | null => (point === null ? null : asOf(point));

const reachedBy = ({ lastPoint, recoverableTo }: ServiceState): string | null => recoverableTo ?? agedAs(lastPoint);

const problemsOf = (state: ServiceState, at: string, vaultOk: boolean, timeZone: string) => {
  const { service, lastPoint, probe, runs, incident, logs = [] } = state;
  const run = unfinished(runs) ?? failedLast(runs);
  const overdue = overdueSince(service.schedule, agedAs(lastPoint), at, timeZone);
  const failed = [...(lastPoint?.manifest.checks ?? []), ...(lastPoint?.manifest.invariants ?? [])].some(
    ({ status }) => status === "failed",
  );
  const { rpo } = service.objectives;
  const rpoMs = rpo === undefined ? undefined : parseDuration(rpo);
  const reached = reachedBy(state);
  const tooOld = reached !== null && rpoMs !== undefined && Date.parse(at) - Date.parse(reached) > rpoMs;
  return [
    ...(run === undefined
      ? []
      : [`run ${run.number} ${run.state === "needs-operator" ? "needs a person" : run.state}`]),
    ...frozenWords(state, at, timeZone),
    ...(incident == null ? [] : [incidentWords(incident, at, timeZone)]),
    ...(probe?.status === "failed" ? [`probe: ${probe.found}`] : []),
    ...(state.silent ?? []).map(({ component, isDown: down, found }) =>
      down ? `${component} is down: ${found}` : `${component} cannot be asked: ${found}`,
    ),
    ...(lastPoint === null && vaultOk ? ["no recovery point yet"] : []),
    ...(overdue === null ? [] : [`overdue since ${formatMinute(overdue, at, timeZone)}`]),
    ...logs
      .filter(({ toAt }) => Date.parse(at) - Date.parse(toAt) > silentMs)
      .map(({ component, toAt }) => `the log of ${component} ends at ${formatMinute(toAt, at, timeZone)}`),
    ...logs
      .filter(({ leadsOn }) => !leadsOn && lastPoint !== null)
      .map(({ component }) => `the log of ${component} leads on from no point`),
    ...(tooOld && overdue === null ? ["older than its RPO"] : []),
    ...(lastPoint !== null && lastPoint.missing.length > 0
      ? [`last point has lost ${lastPoint.missing.join(", ")}`]
      : []),
    ...(failed ? ["checks failed at the last point"] : []),
    ...(state.disarmed ?? []).map((one) => `off since a recovery: ${describeDisarmed(one)}`),
    ...(state.undisclosed ?? []).map(
      ({ component, problem }) => `what is off in ${component} cannot be told: ${problem}`,
    ),
    ...runs.flatMap(keptWords),
    ...(run === undefined && !isDown(state) ? [] : [describeStake(service) ?? []].flat()),
  ];
};

const mayBeFrozen = ({ frozen }: ServiceState): boolean => frozen != null && !frozen.isKept;

const frozenWords = ({ frozen }: ServiceState, at: string, timeZone: string): readonly string[] => {
  if (frozen == null) return [];
  const since = formatMinute(frozen.sinceAt, at, timeZone);
  if (frozen.isKept) return [`held still by a capture since ${since}`];
  return [
    `MAY BE FROZEN since ${since}: ${cutText(frozen.failure?.reason ?? "its capture and the process that thaws were both killed", 160)}`,
  ];
};

const incidentWords = ({ since, reason }: Incident, at: string, timeZone: string): string =>
  `incident since ${formatMinute(since, at, timeZone)}${reason === null ? "" : `: ${cutText(reason, 60)}`}`;

/** What stands beside takes room, and an old side ages: shown until somebody drops it. */
const keptWords = (run: RunRecord): readonly string[] => {
  const beside = rehearsedSides(run);
  if (beside.length > 0)
    return [`run ${run.number} stands beside: ${formatList(beside.map(({ name }) => shortName(name)))}`];
  const kept = run.state === "succeeded" ? keptSides(run) : [];
  if (kept.length === 0) return [];
  const names = formatList(kept.map(({ name }) => shortName(name)));
  return [`run ${run.number} ${run.purpose === "undo" ? "has left" : "keeps"} ${names}`];
};

/** An undo is the end of it: what it has left waits for nothing any more. The old side of a recovery is somebody's decision. */
const leftByUndo = (runs: readonly RunRecord[]): RunRecord | undefined =>
  runs.find((run) => run.purpose === "undo" && run.state === "succeeded" && keptSides(run).length > 0);

/** It is somebody's decision whether the old side goes back or is dropped. */
const undecided = (runs: readonly RunRecord[]): RunRecord | undefined =>
  runs.find((run) => run.state === "succeeded" && hasSideToPutBack(run));

/** The last one, with nothing begun since: what it has restored stands beside. */
const failedLast = ([last]: readonly RunRecord[]): RunRecord | undefined =>
  last?.state === "failed" ? last : undefined;

/** What a rehearsal has restored holds room and ports of the next recovery. */
const rehearsed = (runs: readonly RunRecord[]): RunRecord | undefined =>
  runs.find((run) => rehearsedSides(run).length > 0);

const rowOf = (state: ServiceState, at: string, vaultOk: boolean, { timeZone }: Screen): Row => {
  const { service, lastPoint, logs = [] } = state;
  const reached = reachedBy(state);
  const { rpo, rto } = service.objectives;
  const taken = lastPoint?.manifest.consistentAt;
  const problems = problemsOf(state, at, vaultOk, timeZone);
  return [
    service.name,
    stateOf(state, at),
    taken === undefined
      ? vaultOk
        ? "never"
        : "?"
      : `${formatMinute(taken, at, timeZone)} (${age(taken, at)} ago)${logWords(logs, at)}`,
    reached === null ? (rpo === undefined ? "" : `? of ${rpo}`) : against(age(reached, at), rpo),
    lastRecovery(state.lastRecovery, rto),
    { text: problems.join("; "), style: isDown(state) || mayBeFrozen(state) ? "red" : "yellow" },
  ];
};

/** `, log 4s`: of several the one that is furthest behind. */
const logWords = (logs: NonNullable<ServiceState["logs"]>, at: string): string => {
  const ends = logs.map(({ toAt }) => Date.parse(toAt));
  return ends.length === 0 ? "" : `, log ${age(new Date(Math.min(...ends)).toISOString(), at)}`;
};

/** The worst first: a recovery that waits, then a service that is down, then what is not protected. */
const nextCommands = (
  services: readonly ServiceState[],
  vaultOk: boolean,
  at: string,
  timeZone: string,
): readonly string[] => {
  if (!vaultOk) return ["refloat validate --live"];
  const waiting = services.find(({ runs }) => unfinished(runs) !== undefined);
  const run = unfinished(waiting?.runs ?? []);
  if (waiting !== undefined && run !== undefined)
    return waiting.words === undefined || waiting.words.length === 0 ? [`refloat runs ${run.number}`] : waiting.words;
  return nextWithoutStop(services, at, timeZone);
};

/** A server that was killed is started again before anything is recovered. */
const startsOf = ({ silent = [] }: ServiceState): readonly string[] => [
  ...new Set(silent.flatMap(({ start }) => start ?? [])),
];

const nextWithoutStop = (services: readonly ServiceState[], at: string, timeZone: string): readonly string[] => {
  const frozen = services.find(mayBeFrozen);
  if (frozen !== undefined) return [`refloat capture ${frozen.service.name}`];
  const failed = services.map(({ runs }) => failedLast(runs)).find((run) => run !== undefined);
  if (failed !== undefined) return [`refloat resume ${failed.number}`, `refloat cancel ${failed.number}`];
  const down = services.find((state) => isDown(state) && state.lastPoint !== null);
  if (down !== undefined) return [...startsOf(down), `refloat points ${down.service.name}`];
  const wrong = services.find(({ incident }) => incident != null);
  if (wrong !== undefined)
    return [
      wrong.probe?.status === "passed" && wrong.lastRecovery !== null
        ? `refloat incident close ${wrong.service.name}`
        : `refloat plan ${wrong.service.name}`,
    ];
  const bare = services.find(
    ({ service, lastPoint, logs = [] }) =>
      lastPoint === null ||
      overdueSince(service.schedule, asOf(lastPoint), at, timeZone) !== null ||
      logs.some(({ leadsOn }) => !leadsOn),
  );
  if (bare !== undefined) return [`refloat capture ${bare.service.name}`];
  const left = services.map(({ runs }) => leftByUndo(runs)).find((run) => run !== undefined);
  // To look for another point comes first: what the undo has left is dropped for good.
  if (left !== undefined) return [`refloat points ${left.service}`, `refloat commit ${left.number}`];
  const kept = services.map(({ runs }) => undecided(runs)).find((run) => run !== undefined);
  if (kept !== undefined) {
    const isUnfit = keptSides(kept).some(({ unfit }) => unfit !== undefined);
    const drop = keepsRowsByHand(kept) ? `refloat runs ${kept.number}` : `refloat commit ${kept.number}`;
    return isUnfit ? [...new Set([`refloat runs ${kept.number}`, drop])] : [`refloat undo ${kept.number}`, drop];
  }
  const beside = services.map(({ runs }) => rehearsed(runs)).find((run) => run !== undefined);
  if (beside !== undefined) return [`refloat runs ${beside.number}`, `refloat cancel ${beside.number}`];
  const off = services.find(({ disarmed = [] }) => disarmed.length > 0);
  if (off !== undefined) return [`refloat rearm ${off.service.name}`];
  return [`refloat plan ${services[0]?.service.name ?? ""}`];
};
