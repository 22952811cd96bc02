/** What a person should know before saying yes. Each warning has a stable code, for `--json`, and a sentence. */
import type { FingerprintDifference } from "../../model/fingerprint.ts";
import { shortId } from "../../model/identifiers.ts";
import type { PointManifest } from "../../model/manifest.ts";
import type { PlanForecast, PlanStep } from "../../model/plan.ts";
import { remedyHint, remedyOf } from "../components/settled-differences.ts";
import { componentsAsked, sideOf } from "../invariants/invariant-sides.ts";
import { readBy } from "../points/point-span.ts";
import { isSuspect } from "../points/open-incident.ts";
import { schemaDifferences } from "../points/closer-point.ts";
import { formatAmount, formatBytes, formatList } from "../text/quantity.ts";
import { shortName } from "../text/short-name.ts";
import { formatDuration } from "../time/duration.ts";
import { alignedMarkBefore, forecastConsistency, momentOf } from "./forecast-consistency.ts";
import type { ComponentOrder } from "./component-order.ts";
import type { RecoveryInput } from "./planner-input.ts";
import { untriedBecause } from "./recovery-steps.ts";
import type { Scope } from "./resolve-scope.ts";

export type Warning = PlanForecast["warnings"][number];

export type WarningFacts = {
  readonly input: RecoveryInput;
  readonly scope: Scope;
  readonly order: ComponentOrder;
  readonly steps: readonly PlanStep[];
  /** 1-based, as printed. */
  readonly waveOf: (step: string) => number | null;
};

const warn = (code: string, message: string): Warning => ({ code, message });

const processesOf = ({ steps }: WarningFacts): readonly string[] =>
  steps.flatMap(({ action }) => (action.kind === "start" ? [action.component] : []));

/** Proven outright, or read in the order of its references or of a service that stood still, with every declared link found whole. */
const heldTogether = ({ consistency: { proven, mode }, invariants }: PointManifest): boolean =>
  proven ||
  ((mode === "ordered" || mode === "quiesced") &&
    invariants.length > 0 &&
    invariants.every(({ status }) => status === "passed"));

const unprovenWords = (names: string, mode: PointManifest["consistency"]["mode"]): string =>
  mode === "quiesced"
    ? `only the freeze: line says that ${names} belong to one moment, and no invariant has shown it`
    : mode === "composed"
      ? `nothing proves that ${names} belong to one moment: they were captured at different times`
      : `nothing proves that ${names} belong to one moment: taken ${mode}, and no invariant has shown it`;

/** A time of day that is still to come was taken to be that of a day before. */
const stillToCome = ({ at }: RecoveryInput["request"]): readonly Warning[] =>
  at?.ahead === undefined
    ? []
    : [
        warn(
          "moment.ahead",
          `${at.text} is still to come today: that of ${at.ahead} is meant. (--at "${at.ahead} ${at.text}" says so)`,
        ),
      ];

const byWord = ({ steps }: WarningFacts): readonly Warning[] =>
  steps.flatMap(({ action }) =>
    action.kind === "isolate" && action.unusable !== undefined
      ? [
          warn(
            "fence.by-word",
            `${action.name} cannot be fenced off as declared (${action.unusable}): the run ${action.proof === undefined ? "waits" : "goes on where its proof passes, and else waits"} for a person who has seen that it is dead, and the audit log keeps that word`,
          ),
        ]
      : [],
  );

/** A restore that finds no free port fails, and whoever has forgotten a rehearsal would look for a stranger. */
const portsHeld = ({ standing = [] }: RecoveryInput, { recovered }: Scope): readonly Warning[] =>
  standing
    .filter(({ component }) => recovered.includes(component))
    .map(({ run, component, name, ports }) =>
      warn(
        "ports.held",
        `${component} as run ${run} has restored it, ${shortName(name)}, stands beside and holds what it uses of the ports ${ports}: if too few are left, this restore fails; refloat cancel ${run} frees them`,
      ),
    );

/** Another mark of the same name may have been meant. */
const namesakes = (chosen: RecoveryInput["chosen"]): readonly Warning[] => {
  if (chosen?.kind !== "mark" || chosen.others.length === 0) return [];
  const { name, at, others } = chosen;
  const named = others.map((other) => `${other.at} (--at "before ${shortId(other.id)}")`);
  return [
    warn(
      "mark.repeated",
      `${others.length + 1} marks are named "${name}": that of ${at} is meant, not ${formatList(named, 3)}`,
    ),
  ];
};

const suspicion = ({ point, incidentSince = null }: RecoveryInput, { recovered }: Scope): readonly Warning[] =>
  incidentSince !== null && isSuspect(point, incidentSince, recovered)
    ? [
        warn(
          "point.suspect",
          `the point was read after the incident began (${incidentSince}): it may hold what went wrong`,
        ),
      ]
    : [];

/** Components of two moments: what the one names, the other may not have. */
const skew = (input: RecoveryInput, scope: Scope): readonly Warning[] => {
  const { replays = {}, components } = input;
  const { recovered } = scope;
  if (forecastConsistency(input, scope).mode === "aligned") return [];
  const data = recovered.filter((name) => components[name]?.capabilities.hasRuntime !== true);
  const moments = data.map((name) => Date.parse(momentOf(input, name)));
  const apartMs = Math.max(...moments) - Math.min(...moments);
  if (Object.keys(replays).length === 0 || data.length < 2 || apartMs < 1000) return [];
  const told = data.map((name) => `${name} goes to ${momentOf(input, name)}`);
  return [
    warn(
      "log.skew",
      `${formatList(told, 4)}: ${formatDuration(Math.round(apartMs / 1000) * 1000)} apart, and what the one names the other may not have`,
    ),
  ];
};

/** Logs that go to one moment by their own clocks; what would tie them. */
const untied = (input: RecoveryInput, scope: Scope): readonly Warning[] => {
  const { replays = {}, chosen, marks = [], service, now } = input;
  const going = Object.keys(replays).filter((name) => scope.recovered.includes(name));
  const { mode, why } = forecastConsistency(input, scope);
  if (going.length < 2 || mode !== "approximate") return [];
  const wanted = chosen !== undefined && "at" in chosen ? chosen.at : now;
  const mark = alignedMarkBefore(marks, wanted, going);
  const better =
    mark === null
      ? `refloat mark ${service.name} NAME --aligned ties them from then on`
      : `the last mark that ties them is "${mark.name}" of ${mark.at}: --at "before ${shortId(mark.id)}"`;
  return [warn("log.approximate", `${formatList(going)} belong together only approximately: ${why}; ${better}`)];
};

/** Why it goes no further by the log, or not from the nearest point. */
const logWarnings = ({ unreached = [], passed = [], service }: RecoveryInput): readonly Warning[] => [
  ...unreached.map(({ component, reachedAt, toAt }) =>
    warn(
      "log.unreached",
      `the log of ${component} is received up to ${toAt}, and from the point it leads on only to ${reachedAt}: take a point (refloat capture ${service.name})`,
    ),
  ),
  ...passed.map((one) =>
    warn(
      "point.passed-over",
      `the point ${shortId(one.point.id)} is nearer, and has ${formatList(one.tooLate)} as of ${readBy(one)}, after what was asked`,
    ),
  ),
];

/** What was already wrong, or not certain, when the point was taken. */
const pointWarnings = ({ input, scope }: WarningFacts): readonly Warning[] => {
  const { manifest } = input.point;
  const concerns = (component: string | undefined): boolean =>
    component === undefined || scope.recovered.includes(component);
  const failed = [...manifest.checks, ...manifest.invariants].filter(
    ({ status, component }) => status === "failed" && concerns(component),
  );
  const unsteady = scope.recovered.flatMap((name) =>
    (manifest.components[name]?.warnings ?? []).map((warning) => `${name}: ${warning}`),
  );
  return [
    ...namesakes(input.chosen),
    ...portsHeld(input, scope),
    ...suspicion(input, scope),
    ...skew(input, scope),
    ...untied(input, scope),
    ...logWarnings(input),
    ...(failed.length === 0
      ? []
      : [
          warn(
            "point.checks-failed",
            `when the point was taken, ${formatList(failed.map(({ subject, found }) => `${subject} (${found})`))} failed already`,
          ),
        ]),
    ...(scope.recovered.length > 1 && !heldTogether(manifest) && forecastConsistency(input, scope).mode !== "aligned"
      ? [warn("point.unproven", unprovenWords(formatList(scope.recovered), manifest.consistency.mode))]
      : []),
    ...(unsteady.length === 0 ? [] : [warn("point.unsteady", `at capture ${formatList(unsteady)}`)]),
  ];
};

/** Release that the point was taken with, as the process driver recorded it. */
const capturedLabel = (input: RecoveryInput, component: string): string | null =>
  input.point.manifest.components[component]?.facts.versions["release"] ?? null;

/** Kept releases that would meet data of an earlier time. */
const schemaWarnings = ({ input, scope, order, waveOf }: WarningFacts): readonly Warning[] => {
  const changed =
    input.newest === null || input.newest.id === input.point.id
      ? []
      : schemaDifferences(input.point.manifest, input.newest.manifest, scope.recovered);
  return scope.rebound.flatMap((component) => {
    const label = input.components[component]?.release?.label;
    const name = label === undefined ? component : `${component} ${label}`;
    const below = scope.recovered.filter((other) => order.dependenciesOf(component).has(other));
    const older = below.filter((other) => changed.includes(other));
    const captured = capturedLabel(input, component);
    const shaped = below.some((other) => input.point.manifest.components[other]?.facts.schemaHash !== undefined);
    const reason =
      older.length > 0
        ? `${name} runs on a newer schema of ${formatList(older)} than the point has`
        : shaped && label !== undefined && captured !== null && captured !== label
          ? `${name} is not the release that the point was taken with (${captured})`
          : null;
    if (reason === null) return [];
    const migrated = waveOf(`migrate:${component}`);
    const tried = waveOf(`try:${component}`);
    const answer =
      migrated === null
        ? tried === null
          ? "it is not tried before the cutover"
          : `wave ${tried} tries it first`
        : `wave ${migrated} runs its migration if its checks fail`;
    return [warn("schema.older", `${reason}; ${answer}`)];
  });
};

const missingWords = (one: FingerprintDifference): string =>
  `${one.captured === "" ? one.subject : `${one.subject} ${one.captured}`}${remedyOf(one)}`;

const differingWords = (one: FingerprintDifference): string =>
  `${one.subject} ${one.captured} (here ${one.target ?? "none"})${remedyOf(one)}`;

const fingerprintWarnings = (facts: WarningFacts): readonly Warning[] => {
  const { input, scope } = facts;
  return [...new Set([...scope.recovered, ...processesOf(facts)])].flatMap((component) => {
    const differences = input.components[component]?.fingerprint ?? [];
    const missing = differences.filter(({ severity }) => severity === "missing");
    const other = differences.filter(({ severity }) => severity === "differs");
    const hint = remedyHint(component, missing);
    return [
      ...(missing.length === 0
        ? []
        : [
            warn(
              "fingerprint.missing",
              `${component} ran with ${formatList(missing.map(missingWords))}, not found here${hint === null ? "" : `; ${hint}`}`,
            ),
          ]),
      ...(other.length === 0
        ? []
        : [warn("fingerprint.differs", `${component} ran with ${formatList(other.map(differingWords))}`)]),
    ];
  });
};

/** Those that only a running application could answer, of a recovery that never starts it. */
const unaskedInvariants = ({ input, steps }: WarningFacts, running: ReadonlySet<string>): readonly Warning[] => {
  const asked = new Set(
    steps.flatMap(({ action }) =>
      action.kind === "check-invariant"
        ? [action.invariant]
        : action.kind === "try" || action.kind === "start"
          ? (action.invariants ?? [])
          : [],
    ),
  );
  return Object.entries(input.service.invariants)
    .filter(([name, declared]) => !asked.has(name) && componentsAsked(declared).some((one) => running.has(one)))
    .map(([name]) => warn("invariant.unasked", `${name} is not asked: what answers it runs only after the cutover`));
};

/** What nobody will have asked before, or after, users see it. */
const testWarnings = (facts: WarningFacts): readonly Warning[] => {
  const { input, scope, order } = facts;
  const { service, request, components } = input;
  const runs = (name: string): boolean => components[name]?.capabilities.hasRuntime === true;
  const bound = new Set([...scope.recovered, ...scope.rebound]);
  const processes = order.names.filter((name) => runs(name) && bound.has(name));
  const running = new Set(processes);
  const asked = [...scope.recovered, ...processes].some((name) => (service.components[name]?.checks.length ?? 0) > 0);
  return [
    ...processes.flatMap((name) => {
      const why = untriedBecause(name, input, running, order);
      return why === null ? [] : [warn("try.skipped", `${name} is not tried before the cutover: ${why}`)];
    }),
    ...unaskedInvariants(facts, running),
    ...(asked || bound.size === 0
      ? []
      : [
          warn(
            "check.none",
            `no check is declared for ${formatList([...new Set([...scope.recovered, ...processes])])}: only the facts of the point are compared`,
          ),
        ]),
    ...(request.cutover && service.probe === undefined
      ? [
          warn(
            "probe.none",
            "no probe is declared: nobody asks as a user would, and the RTO is not measured to normal service",
          ),
        ]
      : []),
    ...(request.cutover && service.cutover.length === 0 && processes.length > 0
      ? [warn("traffic.unheld", `no cutover is declared: requests fail while ${formatList(processes)} restarts`)]
      : []),
  ];
};

const scopeWarnings = ({ input, scope }: WarningFacts): readonly Warning[] => [
  ...scope.kept.flatMap((name) => {
    const why = input.components[name]?.unseen;
    if (why === undefined) return [];
    return [
      warn("component.unseen", `${name}, which is kept, could not be looked at, and no invariant asks it: ${why}`),
    ];
  }),
  ...scope.uncaptured.map((name) =>
    warn("component.uncaptured", `the point has nothing of ${name}; it is kept as it is`),
  ),
  ...scope.recovered
    .filter((name) => input.components[name]?.present === false)
    .map((name) => warn("live.absent", `${name} is not there now: nothing of it can be saved or kept`)),
  ...scope.recovered.flatMap((name) => {
    const words = input.components[name]?.startAgain;
    return words === undefined ? [] : [warn("live.stopped", `${name}: ${words}`)];
  }),
  ...scope.recovered.flatMap((name) => {
    const untold = input.components[name]?.loss?.untold;
    if (untold === undefined) return [];
    return [warn("loss.untold", `what ${name} took after the point cannot be told for sure: ${untold}`)];
  }),
  ...scope.recovered
    .filter((name) => input.components[name]?.roomUnseen === true)
    .map((name) => {
      const size = formatBytes(input.point.manifest.components[name]?.facts.sizeBytes ?? 0);
      return warn(
        "space.unseen",
        `whether there is room for ${name} (${size} as captured) cannot be seen from here: ask its server`,
      );
    }),
  ...Object.entries(input.service.invariants)
    .filter(
      ([, { every, in: within }]) => scope.recovered.includes(sideOf(within)) && scope.kept.includes(sideOf(every)),
    )
    .flatMap(([name, { every, in: within }]) => brokenLinkWarning(input, name, sideOf(every), sideOf(within))),
];

/** What a driver saw of the live side, and what a switch would end. */
export const forewarnings = (
  components: RecoveryInput["components"],
  switched: readonly string[],
): readonly Warning[] =>
  switched.flatMap((name) =>
    (components[name]?.forewarnings ?? []).map((found) => warn("cutover.forewarned", `${name}: ${found}`)),
  );

/** Who has it open and is none of the processes that the cutover stops. */
const holdWarnings = ({ input, scope, steps }: WarningFacts): readonly Warning[] => {
  if (!input.request.cutover) return [];
  const stopped = steps.flatMap(({ action }) =>
    action.kind === "fence" ? (input.components[action.component]?.pid ?? []) : [],
  );
  return scope.recovered.flatMap((name) => {
    const others = (input.components[name]?.heldBy ?? []).filter(
      ({ pid, relatives }) => !stopped.some((one) => one === pid || relatives.includes(one)),
    );
    if (others.length === 0) return [];
    const who = formatList(others.map(({ words }) => words));
    return [
      warn("live.held", `${name} is open in ${who}, which this recovery does not stop: stop it before the cutover`),
    ];
  });
};

/** What is not held, not proven, or has to be seen to by people on the side that is left. */
const failbackWarnings = ({
  input: { failback, request, components: here },
  scope,
  steps,
}: WarningFacts): readonly Warning[] => {
  if (failback === undefined || !request.cutover) return [];
  const { components, declaration, asserted = {} } = failback;
  const data = scope.recovered.filter((name) => components[name]?.capabilities.hasRuntime !== true);
  const migrated = steps.flatMap(({ action }) => (action.kind === "migrate" ? [action.component] : []));
  const running = scope.recovered.filter((name) => here[name]?.pid !== undefined);
  const unproven = data.filter((name) => components[name]?.capabilities.hasWrites !== true);
  const stopped = data.filter((name) => components[name]?.capabilities.blindOncePutAway === true);
  return [
    ...(declaration.cutover.length > 0
      ? []
      : [
          warn(
            "failback.unheld",
            "no cutover is declared on the side that is left: requests fail there from the stop of its applications on, and who writes without one is only shut out after the last point; a write between ends the run and is undone",
          ),
        ]),
    ...(unproven.length === 0
      ? []
      : [
          warn(
            "failback.unproven",
            `whether ${formatList(unproven)} is written to past hold and fence cannot be told: it is captured and restored again in any case`,
          ),
        ]),
    ...(stopped.length === 0
      ? []
      : [
          warn(
            "failback.unproven",
            `what is written to ${formatList(stopped)} past hold and fence cannot be told once its server is stopped and put away: the run then says that something may have been written, and goes on; look at the old side there before you commit it`,
          ),
        ]),
    ...(migrated.length === 0
      ? []
      : [
          warn(
            "failback.unmigrated",
            `what is restored again behind the hold is not migrated for ${formatList(migrated)}: if its release here needs that, its start fails and the cutover is taken back; have the same release there first`,
          ),
        ]),
    ...(running.length === 0
      ? []
      : [
          warn(
            "failback.home-runs",
            `${formatList(running)} runs here, on what users have left: what it takes after the run has looked is in the old side alone; stop it first`,
          ),
        ]),
    ...scope.kept.map((name) =>
      warn(
        "failback.shared",
        asserted[name] === undefined
          ? `${name} is one and the same on both sides: it stays as it is`
          : `${name} stays as it is, since both files name ${asserted[name]} and here that is one; run ${failback.run} put nothing there that would prove it: if the other side has one of its own of that name, what was written there stays there`,
      ),
    ),
  ];
};

const brokenLinkWarning = (input: RecoveryInput, name: string, every: string, within: string): readonly Warning[] => {
  const told = input.breaks?.find(({ invariant }) => invariant === name);
  if (told === undefined) {
    const fails = `${name} fails if ${every}, which is kept, names what came into ${within} after the point`;
    return [warn("invariant.at-risk", fails)];
  }
  if (told.broken === 0) return [];
  const links = `${name}: ${formatAmount(told.broken, "links")} of ${every}, which is kept, will be broken`;
  const why = `they name what came into ${within} after the point, such as ${formatList(told.samples, 3)}`;
  const accepted = input.request.acceptLoss === true ? "accepted" : "recover needs --accept-loss";
  return [warn("invariant.breaks", `${links}: ${why}; ${accepted}`)];
};

export const forecastWarnings = (facts: WarningFacts): Warning[] => [
  ...stillToCome(facts.input.request),
  ...byWord(facts),
  ...(facts.input.failback === undefined ? pointWarnings(facts) : failbackWarnings(facts)),
  ...scopeWarnings(facts),
  ...(facts.input.request.cutover ? forewarnings(facts.input.components, facts.scope.recovered) : []),
  ...holdWarnings(facts),
  ...schemaWarnings(facts),
  ...fingerprintWarnings(facts),
  ...testWarnings(facts),
];
