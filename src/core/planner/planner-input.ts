/**
 * All that the planner is told. It asks nobody: no clock, no disk, no driver; the caller has looked before and says what it saw.
 */
import type { Holder, WriteEstimate } from "../ports/driver.ts";
import type { Position } from "../../model/facts.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { FingerprintDifference } from "../../model/fingerprint.ts";
import type { Graph } from "../../model/graph.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import type { CapturedComponent, RecoveryPoint } from "../../model/manifest.ts";
import type { Mark } from "../../model/mark.ts";
import type {
  BrokenLinks,
  Failback,
  PlanForecast,
  PlanIntent,
  PlannedReplay,
  PointChoice,
  SpaceForecast,
  TouchedService,
} from "../../model/plan.ts";
import type { Unfenced } from "../components/bind-fences.ts";
import type { CloserPoint } from "../points/closer-point.ts";
import type { PassedPoint } from "../points/point-span.ts";
import type { UnreachedLog } from "../points/resolve-replays.ts";

/** What a component can do: what its driver offers and, for reload and migrate, what is declared as well. */
export type ComponentCapabilities = {
  /** The driver knows what was written since a position. */
  readonly hasWrites: boolean;
  /** What of that is written down before the switch; left out where it is only counted. */
  readonly exportsWrites?: "rows" | "files";
  /** Only of what is still behind its name: of what was put away, not more than that something may have been. */
  readonly blindOncePutAway?: boolean;
  readonly hasRuntime: boolean;
  readonly hasReload: boolean;
  readonly hasMigrate: boolean;
  /** The driver can give the values of an invariant's set. */
  readonly hasInvariants: boolean;
};

/** One component as it is now. */
export type LiveComponent = {
  readonly capabilities: ComponentCapabilities;
  /** Is there anything behind its stable name? A dropped database is not. */
  readonly present: boolean;
  /** Of one that can only be restored beside: why nothing can be put behind its stable name, and what would change that. */
  readonly unswitchable?: { readonly why: string; readonly remedy?: string };
  /** Its server does not run, and could be started again: what that takes, as a sentence. */
  readonly startAgain?: string;
  /** What would not be after a switch as it is now, in sentences. */
  readonly forewarnings?: readonly string[];
  /** For people: what the stable name is, and what the new and the old side will be called. May hold `{run}`. */
  readonly names: { readonly stable: string; readonly instance: string; readonly retired: string };
  /** Of a component that runs: the release that is live. */
  readonly release: { readonly path: string; readonly label: string } | null;
  /** Of a component that runs: where a second one could run beside it; null when nowhere. */
  readonly freePort: number | null;
  /** Of a component that runs: the process that serves. */
  readonly pid?: number;
  /** Processes that have it open and keep its name from being switched. */
  readonly heldBy?: readonly Holder[];
  /** A cheap estimate of what was written since the point; null when the driver cannot say. */
  readonly loss: WriteEstimate | null;
  /** It is restored where the room that is left cannot be seen from here, such as to the server of another machine. */
  readonly roomUnseen?: boolean;
  /** What the plan has to provision before it can be looked at: there is nothing of it yet. */
  readonly awaits?: string;
  /** Why it could not be looked at, of one that the plan leaves alone: nothing is known of it, and no invariant asks it. */
  readonly unseen?: string;
  /** How this machine differs from the one the component was captured on. */
  readonly fingerprint: readonly FingerprintDifference[];
};

/** How long a step of an earlier run of this service took, by step id. Only steps that did their work. */
export type DurationSample = {
  readonly run: number;
  readonly step: string;
  readonly durationMs: number;
  readonly sizeBytes?: number;
};

/** One entry of `provision:` as it is now. */
export type LiveProvision = {
  readonly presence: "absent" | "partial" | "done";
  /** One line for the plan: what is there, or what would be made. */
  readonly what: string;
  /** More to read before one says yes, such as the plan of another tool. */
  readonly detail: readonly string[];
  /** Differences of fingerprints that there are none of once it is made, by their subjects. */
  readonly settles?: readonly string[];
};

export type RecoveryRequest = {
  /** What `--at` said and the instant that it was frozen to; null for `last` and for an id. `ahead`: the day that was taken of a time that is still to come today. */
  readonly at: { readonly text: string; readonly instant: string | null; readonly ahead?: string } | null;
  /** Components to recover; all that the point has when left out. */
  readonly only?: readonly string[];
  /** False: restore and validate only. */
  readonly cutover: boolean;
  /** Links of what is kept may break where they name what is newer than the point. */
  readonly acceptLoss?: boolean;
  /** Why a person must say yes between validation and cutover; no gate when left out. */
  readonly approve?: string;
};

/** The side elsewhere that users leave. */
export type FailbackInput = Omit<Failback, "left"> & {
  readonly components: Readonly<Record<string, LiveComponent>>;
  /** Of each component: where it stands there and here, and by which way that is reached. */
  readonly ways: PlanForecast["ways"];
  /** Of components that stay as they are, those that only the files take for one and the same, and where both say that it is. */
  readonly asserted?: Readonly<Record<string, string>>;
};

export type RecoveryInput = {
  readonly service: ServiceDeclaration;
  readonly graph: Graph;
  /** Of a failback, whose point is only made in the run: one of the side that is left, to reckon with. */
  readonly point: RecoveryPoint;
  readonly failback?: FailbackInput;
  /** From the point's selection. */
  readonly chosen?: PointChoice;
  /** Components that their logs lead on from the point. */
  readonly replays?: Readonly<Record<string, PlannedReplay>>;
  /** Components whose log is received further than it leads on from the point. */
  readonly unreached?: readonly UnreachedLog[];
  /** Points that are nearer, and have a component as of later than what was asked. */
  readonly passed?: readonly PassedPoint[];
  /** Of a composed point: parts that do not last as the others do, in sentences. */
  readonly memberConflicts?: readonly string[];
  /** The same: the points of the service, put together. */
  readonly composablePoints?: readonly RecoveryPoint[];
  /** Of the service. */
  readonly marks?: readonly Mark[];
  /** Since when an incident doubts what was read, ISO. */
  readonly incidentSince?: string | null;
  readonly closer: CloserPoint | null;
  /** The newest whole point of the service, to see whether the schema has changed since the chosen one. */
  readonly newest: RecoveryPoint | null;
  readonly request: RecoveryRequest;
  readonly components: Readonly<Record<string, LiveComponent>>;
  readonly provisions?: Readonly<Record<string, LiveProvision>>;
  /** By name of an entry of `fence:` that cannot be used as declared. */
  readonly unfenced?: Readonly<Record<string, Unfenced>>;
  readonly space: readonly SpaceForecast[];
  /** By invariant: what of the `in` side would be left without a referrer, `312 invoices`; null when nothing came into it. */
  readonly orphans?: Readonly<Record<string, string | null>>;
  /** Links of what is kept to what the point lacks, where that can be told without restoring it. */
  readonly breaks?: readonly BrokenLinks[];
  /** Other services that are bound to components of this one. */
  readonly boundServices?: readonly TouchedService[];
  /** Servers that earlier runs of the service have restored, and that stand beside on one of their component's ports. */
  readonly standing?: readonly StandingServer[];
  readonly history: readonly DurationSample[];
  /** ISO 8601. */
  readonly now: string;
};

export type StandingServer = {
  readonly run: RunNumber;
  readonly component: string;
  readonly name: string;
  /** As declared: `6390-6399`. */
  readonly ports: string;
};

export type UndoInput = {
  readonly service: ServiceDeclaration;
  readonly graph: Graph;
  /** What the run to be undone left, from its journal; the keys of `exchanges` are the components that were switched. */
  readonly undoes: {
    readonly run: RunNumber;
    readonly runUid: string;
    readonly acceptLoss: boolean;
    readonly exchanges: Readonly<Record<string, NonNullable<PlanIntent["undoes"]>["exchanges"][string]>>;
    readonly releases: Readonly<Record<string, string>>;
    readonly positions?: Readonly<Record<string, Position>>;
    readonly traffic?: readonly string[];
  };
  /** Of a failback: users go back to the side that it has left. */
  readonly failback?: Failback & { readonly left: NonNullable<Failback["left"]> };
  /** What that run restored: how large the side is that is left. */
  readonly captured?: Readonly<Record<string, CapturedComponent>>;
  /** Components that were bound anew by that run. */
  readonly rebound: readonly string[];
  readonly components: Readonly<Record<string, LiveComponent>>;
  readonly provisions?: Readonly<Record<string, LiveProvision>>;
  /** What the new side has taken since the cutover and an undo would lose. */
  readonly losses: readonly { readonly component: string; readonly about: string; readonly lostMs: number }[];
  /** Components that do not answer, switched by the run or not, and why: no point of the service can be taken, so nothing of what they took can be saved. */
  readonly silent?: readonly { readonly component: string; readonly found: string }[];
  /** What is to be known of old sides that are put back. */
  readonly returns?: readonly { readonly component: string; readonly note: string }[];
  readonly history: readonly DurationSample[];
  /** ISO 8601. */
  readonly now: string;
};
