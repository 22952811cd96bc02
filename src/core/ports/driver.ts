/**
 * The contract of a driver: what one technology brings. Everything a driver does to the world is here, each act small enough
 * to be journaled, asked about and undone. A driver never decides what happens next; steps and engine do.
 *
 * Rules for all acts:
 * - Idempotent by name: the same call with the same target may come again after a crash at any instant.
 * - `inspect` and `observe` change nothing and tell the truth about now, not about what was last attempted.
 * - Abort: when `context.signal` aborts, stop soon, leave what `inspect` can recognise as partial, throw the signal's reason.
 * - Errors are RefloatErrors; a secret is in none of them, and none on a command line.
 * - A driver may run on another machine than the controller: it reaches the vault only by the sink or reader it is given.
 */
import type { z } from "zod";
import type { CommitLockDeclaration } from "../../model/declaration.ts";
import type { Facts, Position } from "../../model/facts.ts";
import type { Fingerprint, FingerprintDifference } from "../../model/fingerprint.ts";
import type { JsonObject } from "../../model/json.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import type { Arming } from "./arming.ts";
import type { ByteStream } from "./bytes.ts";
import type { CapturedKeys } from "./captured-keys.ts";
import type { Bind, Clock, Log, ReportProgress } from "./environment.ts";
import type { Excerpts } from "./excerpts.ts";
import type { LogOperations } from "./logs.ts";
import type { ProvisionDriver } from "./provision.ts";
import type { RowMending } from "./row-mending.ts";
import type { TrafficDriver } from "./traffic.ts";
import type { LogReader } from "./vault-logs.ts";
import type { CaptureSink, SnapshotReader, TreeReader } from "./vault-snapshots.ts";

/** What every act is given. */
export type DriverContext<Options = unknown> = {
  readonly service: string;
  readonly component: string;
  /** The component's own keys, validated by the driver's schema; strings in it may hold references: resolve them by `bind`. */
  readonly options: Options;
  readonly bind: Bind;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: ReportProgress;
  readonly signal: AbortSignal;
  /** A private folder (0700) for small working files such as a table of contents; removed by the caller. Never for data. */
  readonly workDirectory: string;
  /** Where things that outlive a run are kept: pid files, logs of started processes. */
  readonly stateDirectory: string;
  /** `refloat/RUN/STEP/ATTEMPT`, or `refloat/capture/...`: application_name and REFLOAT_STEP of all that the act starts. */
  readonly marker: string;
};

/** A restored component at its new location. Name and run are known before any effect. */
export type InstanceTarget = {
  /** From `instances.name`: `shop_r42`, `/srv/shop/uploads.r42`. */
  readonly name: string;
  readonly run: number;
  /** Written into what is made, so that two machines' run 42 are not taken for each other. */
  readonly runUid: string;
};

/** Values that dependents bind to: `url`, `path`, `address`. */
export type Outputs = Readonly<Record<string, BoundOutput>>;
export type BoundOutput = { readonly value: string; readonly secret: boolean };

/** What `refloat validate --live` shows before anything touches production. */
export type PreflightReport = {
  readonly findings: readonly {
    readonly ok: boolean;
    readonly subject: string;
    readonly found: string;
    readonly hint?: string;
    /** What mends it, as it can be run. */
    readonly nextCommand?: string;
    /** It would stop a capture, and no recovery. */
    readonly only?: "capture";
  }[];
  /** The exact commands and statements that a capture will use, secrets left out. */
  readonly commands: readonly string[];
  /** Those of a recovery, in the order in which it uses them; what only a plan decides is written in capitals. */
  readonly recoveryCommands: readonly string[];
  /** The exact GRANTs (or modes) that would make a least-privileged user sufficient. */
  readonly grants: readonly string[];
};

/** What `capture` returns; the caller adds snapshot id, sizes and the component's name. */
export type CaptureReport = Pick<CapturedComponent, "path" | "facts" | "window" | "consistency" | "warnings"> & {
  readonly fingerprint?: Fingerprint;
};

export type Footprint = { readonly path: string; readonly bytes: number };

/** Going on from a point by the component's log: all up to `to`, and nothing behind it. */
export type Replay = {
  readonly logs: LogReader;
  readonly line: string;
  /** Position; the log of the line is held from the point's own begin up to here. */
  readonly to: string;
  /** The moment that it stands for, ISO: for words, and nothing else. */
  readonly at: string;
};

/** `absent`: nothing of it is there. `partial`: begun and not finished. `done`: whole. */
export type Presence = "absent" | "partial" | "done";

/** Making, looking at and dropping instances. Never touches the live side. */
export type InstanceOperations<Options = unknown> = {
  /** Deterministic. `{run}` style suffix: `shop_r42`. */
  readonly name: (context: DriverContext<Options>, run: number) => Promise<string>;
  /** The name that the old side gets when it is switched out: `shop_old42`. */
  readonly retiredName: (context: DriverContext<Options>, run: number) => Promise<string>;
  /** Peak bytes that a restore needs, per local path; empty when it lands on a machine whose disks cannot be seen. */
  readonly footprint: (context: DriverContext<Options>, captured: CapturedComponent) => Promise<readonly Footprint[]>;
  /** @throws RefloatError instance.exists when the name is taken by something that is not of this run */
  readonly inspect: (context: DriverContext<Options>, target: InstanceTarget) => Promise<Presence>;
  /**
   * Restores to the new location, streaming from the vault; verifies bytes on the way; marks the instance whole as its last act.
   * Called only when `inspect` said absent. With `replay` it goes on from the point by the log, and is not whole before it has all of that.
   */
  readonly restore: (
    context: DriverContext<Options>,
    target: InstanceTarget,
    source: SnapshotReader,
    captured: CapturedComponent,
    replay?: Replay,
    /** Lines of logs and points of the component that the vault has: a restored source that goes on begins none of them anew. */
    knownLines?: readonly string[],
  ) => Promise<{ readonly sizeBytes: number; readonly summary: string; readonly warnings: readonly string[] }>;
  readonly outputs: (context: DriverContext<Options>, target: InstanceTarget) => Promise<Outputs>;
  /**
   * Compares the instance with the captured facts; one outcome per unit that differs and one summary that passed.
   * @param replay it has gone on from there: what the log may have changed is not compared, and that is said
   */
  readonly validate: (
    context: DriverContext<Options>,
    target: InstanceTarget,
    facts: Facts,
    replay?: Pick<Replay, "to" | "at">,
  ) => Promise<readonly CheckOutcome[]>;
  /** Idempotent. Refuses whatever this run did not make. */
  readonly drop: (context: DriverContext<Options>, target: InstanceTarget) => Promise<void>;
};

/** Identity of what a name stands for, by something that survives a rename: `oid:16402`, `inode:64769:1311`, `link:releases/2.5.0`; null when nothing does. */
export type Identity = string | null;

export type Exchange = {
  /** The name (location) of the object that is to stand behind the stable name. */
  readonly incoming: string;
  /** The name that the object now behind the stable name gets. */
  readonly outgoing: string;
  /** What stands behind the name is put away for good reasons, or back again: nothing behind it is meant, and nothing has to remember that. */
  readonly putsAway?: true;
  /** A run takes its own switch back: that the old side runs again is what is asked, even where it does not let us in any more. */
  readonly isReturn?: true;
};

export type ExchangeObservation = {
  readonly stable: Identity;
  readonly incoming: Identity;
  readonly outgoing: Identity;
};

/** A process that has what is behind a stable name open. */
export type Holder = {
  readonly pid: number;
  /** Those that it came from, and those of its session: of one application, as far as can be told. */
  readonly relatives: readonly number[];
  /** For people: pid and command line, without secrets. */
  readonly words: string;
};

/** Its server does not run, and its data are there. */
export type StoppedServer = {
  /** The declared line that starts it; null where none is declared. */
  readonly start: string | null;
  /** What is gone once it runs again, for people; empty where nothing is that it had committed. */
  readonly loses: readonly string[];
};

/** Switching a stable name. One atomic act with a memory: identities are journaled before it, so a resumed run knows whether it happened. */
export type SwitchOperations<Options = unknown> = {
  /** Why nothing can ever be put behind the component's name; null when it can. Left out where that depends on nothing declared. */
  readonly refusal?: (context: DriverContext<Options>) => Promise<string | null>;
  /** What a person is to know before saying yes, of a live side that would not be after a switch what it is now. Of one that is down nothing is known. */
  readonly forewarnings?: (context: DriverContext<Options>) => Promise<readonly string[]>;
  /**
   * Of what only a server that runs here makes reachable: null where one runs behind the stable name, and where no data are there. Only the
   * processes and files of this machine are looked at. Left out where no server is started by anyone who declares a component.
   */
  readonly stopped?: (context: DriverContext<Options>) => Promise<StoppedServer | null>;
  /** @throws RefloatError cutover.refused if the source forbids it (prepared transactions, a mount point), with the reason */
  readonly observe: (context: DriverContext<Options>, exchange: Exchange) => Promise<ExchangeObservation>;
  /** Who keeps the name from being switched until it lets go. Left out where the exchange itself ends all connections. */
  readonly holders?: (context: DriverContext<Options>) => Promise<readonly Holder[]>;
  /**
   * Compare-and-set: acts only if `observe` would return `expected`. Ends the connections of old writers, as far as the technology has any.
   * Afterwards stable = expected.incoming and outgoing = expected.stable. Undo is the same act with the names exchanged. With
   * `expected.incoming` null nothing is put behind the name: to undo a switch that found nothing there, which the caller knows, and with `putsAway`.
   * @throws RefloatError cutover.conflict if the world is not as expected
   */
  readonly exchange: (
    context: DriverContext<Options>,
    exchange: Exchange,
    expected: ExchangeObservation,
  ) => Promise<{ readonly heldMs: number; readonly position: Position | null; readonly outgoing: string }>;
  /**
   * For a technology whose server is stopped by `exchange` and started by it at its end: starts what is behind the stable name, where it
   * does not run. Idempotent. Asked for when an exchange was killed or failed half way: before it, so that the old side serves on; after
   * it, so that a switched name does not stay without a server. Nothing behind the name is no error. What that exchange has made to move
   * a side there, and has moved nothing to, is taken away.
   */
  readonly serve?: (context: DriverContext<Options>, exchange: Exchange) => Promise<void>;
  /**
   * Before traffic: makes the new side continue where the old one stopped, e.g. moves sequences past the old side's highest values.
   * Idempotent. @returns what was done, in a person's words
   */
  readonly settle?: (context: DriverContext<Options>, outgoing: string) => Promise<readonly string[]>;
  /**
   * Whether what `exchange` has put away can serve again, as far as its files tell: why not, and what a person is to know of it. Left out
   * where nothing of it can be told before it is tried.
   */
  readonly ofReturn?: (
    context: DriverContext<Options>,
    outgoing: string,
  ) => Promise<{ readonly refusal: string | null; readonly notes: readonly string[] }>;
  /** After `commit`: removes the old side for good. Idempotent. */
  readonly discard: (context: DriverContext<Options>, outgoing: string) => Promise<void>;
};

export type WriteReport = {
  /** Newest write that is only on the inspected side, when it can be known. */
  readonly lastWriteAt: string | null;
  readonly units: readonly {
    readonly name: string;
    readonly added: number;
    readonly changed: number;
    readonly removed: number;
    /** Path of the export of the added rows or of the list of files, relative to the folder given. */
    readonly file?: string;
    /** Of changed rows as this side has them, in a folder of their own: `changed/orders.csv`. */
    readonly changedFile?: string;
    /** It was written to, and nobody can tell how much: the counts are no more than what is known. A gap says so too. */
    readonly uncounted?: true;
    /** No way of ours puts its added rows back: it has no key, or the other side has no such table, or one without transactions. */
    readonly byHand?: true;
    /** What was counted in it, of a unit that is not named for that: rows or keys of a database. */
    readonly counted?: "rows" | "keys";
  }[];
  /** What could not be compared and why (a table without a primary key). Shown, never swallowed. */
  readonly gaps: readonly string[];
};

export type WriteEstimate = {
  readonly about: string;
  readonly lastWriteAt: string | null;
  /** Why it is no more than a part of it, of a side whose server is down; with what its files tell, where they do. */
  readonly untold?: string;
};

/** Knows what was written. `location` is a name as in Exchange, or null for the object behind the stable name. */
export type WriteLedger<Options = unknown> = {
  /** What `exportTo` writes down: rows as CSV, or a list of files. Left out where what was written is only counted. */
  readonly exports?: "rows" | "files";
  /** Of a side that `exchange` has put away it can tell that something may have been written, and not what: nobody answers there any more. */
  readonly blindOncePutAway?: true;
  readonly position: (context: DriverContext<Options>, location: string | null) => Promise<Position>;
  /**
   * What `location` has that was written after `since`. With `against`, only what is not in that instance counts as added.
   * With `exportTo`, added rows are written there as CSV with a header (temporary file, then rename), and changed ones as this side has
   * them beside, in the folder `changed`.
   */
  readonly writesSince: (
    context: DriverContext<Options>,
    request: {
      readonly location: string | null;
      readonly since: Position;
      /** An instance's name, or null for what is behind the stable name. */
      readonly against?: string | null;
      readonly exportTo?: string;
    },
  ) => Promise<WriteReport>;
  /** A cheap estimate of the same for a plan: no export, at most a second or two. */
  readonly estimateSince?: (context: DriverContext<Options>, since: Position) => Promise<WriteEstimate | null>;
};

/** One running (or once running) application. Journaled, so it must tell all that is needed to stop or start it again. */
export type RunningProcess = {
  readonly pid: number | null;
  readonly port: number | null;
  /** Folder of the release that it runs. */
  readonly release: string;
  /** Start time in clock ticks since boot, from /proc: a pid alone may be another process by now. */
  readonly startTicks: number | null;
};

/** For components that run: start, stop, know. */
export type RuntimeOperations<Options = unknown> = {
  /** What serves now; null when nothing does. @throws RefloatError fence.failed when it cannot be told (two listen) */
  readonly live: (context: DriverContext<Options>) => Promise<RunningProcess | null>;
  /** Port for an instance beside the live one; null when there is none free and the live one must stop first. */
  readonly freePort: (context: DriverContext<Options>, live: RunningProcess | null) => Promise<number | null>;
  /** Folder of the live release, links resolved, and a name for people (`2.5.0`); null when nothing is behind the stable name. */
  readonly liveRelease: (
    context: DriverContext<Options>,
  ) => Promise<{ readonly path: string; readonly label: string } | null>;
  /**
   * Starts detached, so that it outlives us, and waits until the port answers. `bind` of the context resolves `${self.port}` to `port`.
   * Idempotent by `name`: if the process recorded under that name runs, it is returned.
   */
  readonly start: (
    context: DriverContext<Options>,
    request: { readonly name: string; readonly release: string; readonly port: number | null },
  ) => Promise<RunningProcess>;
  /** Runs the declared `migrate` command in the release with the bound environment. @throws RefloatError program.failed with the last lines of its output */
  readonly migrate: (context: DriverContext<Options>, release: string) => Promise<{ readonly output: string }>;
  /** The process that `start` recorded under that name, if it is alive. */
  readonly find: (context: DriverContext<Options>, name: string) => Promise<RunningProcess | null>;
  /** Is exactly this process alive? */
  readonly alive: (context: DriverContext<Options>, process: RunningProcess) => Promise<boolean>;
  /**
   * The declared stop command, or SIGTERM, then SIGKILL after the grace time; resolves when the process and its children are gone and
   * the port is closed. Idempotent. @throws RefloatError fence.failed
   */
  readonly stop: (context: DriverContext<Options>, process: RunningProcess) => Promise<void>;
};

/** A table (or the like) as a point knows it, by the facts of its capture. */
export type CapturedTable = {
  /** As facts name it: `orders`, `audit.log`. */
  readonly name: string;
  /** Other spellings of it: `public.orders`. */
  readonly aliases: readonly string[];
  readonly rows: number | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
  /** False for what is not made of rows, such as large objects: it can be seen and not extracted by itself. */
  readonly hasRows: boolean;
};

/** `copy`: PostgreSQL's COPY text. `csv`: with a header, as COPY's own CSV. */
export type RowFormat = "copy" | "csv";

/** What a captured component holds beside files. Reads the point alone, never the source. */
export type CapturedContents = {
  /** What a component that is taken out as a whole becomes: `words` behind "the whole database", and what its place is called behind the component's name. */
  readonly whole: { readonly words: string; readonly suffix: string };
  readonly tables: (captured: CapturedComponent) => readonly CapturedTable[];
  /** The name of the table whose rows lie in the file at `path` of the component's snapshot; null if it holds none or cannot be told. */
  readonly tableAt: (captured: CapturedComponent, path: string) => string | null;
  /**
   * The rows of one table. Ends without an error only if all of them were there and are what was captured.
   * @throws RefloatError vault.damaged, source.unsupported when the table has no rows of its own
   */
  readonly rows: (
    tree: TreeReader,
    captured: CapturedComponent,
    request: { readonly table: CapturedTable; readonly format: RowFormat; readonly signal: AbortSignal },
  ) => ByteStream;
};

export type LockRequest = { readonly key: CommitLockDeclaration["advisory"]; readonly database: string | null };

export type HeldLock = {
  /** Aborted when it is gone before it was given back: the time was over, its session was ended, the server went away. */
  readonly lost: AbortSignal;
  /** Gives it back, and tells whether it was had until now. Never rejects. */
  readonly release: () => Promise<boolean>;
};

/** A lock at the source that an application shares around its commits, wherever those are made. */
export type LockOperations<Options = unknown> = {
  /**
   * Has it alone: waits for those who share it, and from the call on nobody else gets it. It ends with this process, however that ends, and by the server's own
   * clock when `atMostMs` are over.
   * @throws RefloatError source.under-pressure where it was not to be had in that time, source.*; the signal's reason
   */
  readonly hold: (
    context: DriverContext<Options>,
    request: LockRequest & { readonly atMostMs: number },
  ) => Promise<HeldLock>;
  /** Could it be taken, and does anybody share it now? Takes nothing from anyone. */
  readonly examine: (context: DriverContext<Options>, request: LockRequest) => Promise<PreflightReport>;
};

export type OutputDescription = { readonly description: string; readonly secret: boolean };

export type ComponentDriver<Options = unknown> = {
  readonly type: string;
  readonly summary: string;
  /** The component's own keys as a strict zod object with descriptions; becomes part of the published JSON Schema. */
  readonly options: z.ZodType<Options>;
  readonly outputs: Readonly<Record<string, OutputDescription>>;
  /** Further ones, of a component as it is declared; pure, and lenient with what is not right yet. Null: only the running tool knows them. */
  readonly declaredOutputs?: (options: unknown) => Readonly<Record<string, OutputDescription>> | null;
  /** Outputs of what is behind the stable name. */
  readonly stableOutputs: (context: DriverContext<Options>) => Promise<Outputs>;
  readonly preflight: (context: DriverContext<Options>) => Promise<PreflightReport>;
  /**
   * Of what a server answers for: asks the live one the least that there is to ask. Left out where nobody answers (a folder), and where `runtime` tells.
   * @throws RefloatError source.*
   */
  readonly reach?: (context: DriverContext<Options>) => Promise<void>;
  /**
   * @param pinned called once, as soon as nothing that is written from then on can come into what is captured: a service that is held
   * still for the capture may go on. Never called where that is so only at the end.
   */
  readonly capture: (
    context: DriverContext<Options>,
    sink: CaptureSink,
    previous: CapturedComponent | null,
    pinned?: () => void,
  ) => Promise<CaptureReport>;
  readonly instances: InstanceOperations<Options>;
  readonly switching: SwitchOperations<Options>;
  readonly writes?: WriteLedger<Options>;
  readonly contents?: CapturedContents;
  /** Of a store of keys with values. */
  readonly keys?: CapturedKeys;
  /** Of a capture that only a server can read. */
  readonly excerpts?: Excerpts<Options>;
  readonly logs?: LogOperations<Options>;
  readonly commitLock?: LockOperations<Options>;
  /** Its capture reads the files below its output `path` and writes nothing beside them: it can be made while their file system is frozen. */
  readonly capturesFrozen?: boolean;
  /** Puts single rows of a point back into what is live. */
  readonly mending?: RowMending<Options>;
  /** Of a technology in which a restored copy would act by itself. */
  readonly arming?: Arming<Options>;
  readonly runtime?: RuntimeOperations<Options>;
  /** Runs the declared reload command, for components whose reader must be told. */
  readonly reload?: (context: DriverContext<Options>) => Promise<void>;
  /** Is there anything to reload, as it is declared? Told by the key `reload` when left out. */
  readonly reloads?: (options: Options) => boolean;
  /** Compares a captured fingerprint with this machine. */
  readonly compareFingerprint?: (
    context: DriverContext<Options>,
    fingerprint: Fingerprint,
  ) => Promise<readonly FingerprintDifference[]>;
  /** Values of an invariant's set, one per line, unsorted; `location` as in WriteLedger. */
  readonly invariantValues?: (
    context: DriverContext<Options>,
    expression: string,
    location: string | null,
  ) => ByteStream;
  /** The same of what a point has, without restoring it; left out where that cannot be told. */
  readonly capturedValues?: (
    context: DriverContext<Options>,
    expression: string,
    captured: CapturedComponent,
    source: SnapshotReader,
  ) => ByteStream;
};

export type CheckContext = Pick<DriverContext, "service" | "bind" | "clock" | "log" | "signal" | "marker"> & {
  readonly component: string | null;
  /** What the component declares beside its checks, as its driver takes it, references unresolved; null of what is no component. */
  readonly declared: JsonObject | null;
  /** Outputs of the instance that is asked; those of the stable name when the source is asked. */
  readonly outputs: Outputs;
  readonly timeoutMs: number;
};

/** A kind of check: `http`, `tcp`, `sql`, `command`. The value under the kind's key is a string; other keys are beside it. */
export type CheckDriver<Options = unknown> = {
  readonly kind: string;
  readonly summary: string;
  /** Strict zod object with the kind's key, e.g. `{ http: string, expect?: ... }`. */
  readonly options: z.ZodType<Options>;
  /** Of a kind that several technologies know (`sql`): can this one ask what has these outputs? Their keys are the same. */
  readonly answers?: (outputs: Outputs) => boolean;
  /** An answer that is wrong is an outcome, not an error; so is a refused connection. */
  readonly run: (context: CheckContext, options: Options) => Promise<CheckOutcome>;
};

/** Of the component whose values they are. `timeoutMs` is for all of them. */
export type SetContext = CheckContext & { readonly component: string };

/** A kind of set that an invariant compares: `http`, `command`. The value under the kind's key says what is asked; other keys are beside it. */
export type SetDriver<Options = unknown> = {
  readonly kind: string;
  readonly summary: string;
  /** Strict zod object with the kind's key. */
  readonly options: z.ZodType<Options>;
  /**
   * The values, one per line, unsorted, as they come. Ends without an error only if all of them were there; a source that gives what is no list of
   * values, too much of it or no end is refused.
   * @throws RefloatError source.*, program.*, config.invalid
   */
  readonly values: (context: SetContext, options: Options) => ByteStream;
};

/** Everything one folder under drivers/ exports. */
export type DriverBundle = {
  readonly name: string;
  readonly components: readonly ComponentDriver[];
  readonly checks: readonly CheckDriver[];
  readonly sets?: readonly SetDriver[];
  readonly traffic: readonly TrafficDriver[];
  readonly provisions?: readonly ProvisionDriver[];
};

/** All drivers of this build, by the word that the file uses. Built once, in the composition root. */
export type DriverRegistry = {
  readonly components: ReadonlyMap<string, ComponentDriver>;
  readonly checks: ReadonlyMap<string, CheckDriver>;
  readonly sets: ReadonlyMap<string, SetDriver>;
  readonly traffic: ReadonlyMap<string, TrafficDriver>;
  readonly provisions: ReadonlyMap<string, ProvisionDriver>;
};
