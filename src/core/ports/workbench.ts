/** What the composition root hands to operations and step handlers: the world, as ports. */
import type { Declaration, FenceDeclaration } from "../../model/declaration.ts";
import type { SpaceForecast } from "../../model/plan.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Discovery } from "./discovery.ts";
import type { DriverRegistry, Footprint, PreflightReport } from "./driver.ts";
import type { Engine, Journal, Leases } from "./engine.ts";
import type { Bind, Clock, Log, Secret } from "./environment.ts";
import type { EscrowBundles, EscrowTools } from "./escrow.ts";
import type { Freezes } from "./freezes.ts";
import type { MountPoint } from "./mounts.ts";
import type { Notifier } from "./notifier.ts";
import type { NewPlaces } from "./new-places.ts";
import type { VaultKeys } from "./vault-keys.ts";
import type { IncidentStore } from "./vault-incidents.ts";
import type { LogStore } from "./vault-logs.ts";
import type { MarkStore } from "./vault-marks.ts";
import type { VaultMemory } from "./vault-memory.ts";
import type { Repository } from "./vault.ts";
import type { PointDepartures, PointHolds, PointStore, RunCopies } from "./vault-points.ts";

export type OpenVault = {
  readonly repository: Repository;
  readonly points: PointStore;
  readonly departures: PointDepartures;
  readonly holds: PointHolds;
  readonly marks: MarkStore;
  readonly incidents: IncidentStore;
  readonly runCopies: RunCopies;
  readonly escrows: EscrowBundles;
  readonly logs: LogStore;
};

export type OtherVault = {
  readonly url: string;
  /** Null: that of the declared one. */
  readonly password: (() => Promise<string>) | null;
  readonly create?: boolean;
  /** First letters of the id of a vault that was there and is given up; null or left out: none may have been. */
  readonly inPlaceOf?: string | null;
};

/** Folders of this installation. All private to the user who runs Refloat. */
export type Directories = {
  /** A fresh folder for small working files of one act; `remove` is idempotent. */
  readonly work: (marker: string) => Promise<{ readonly path: string; readonly remove: () => Promise<void> }>;
  /** Where what outlives a run is kept for a component: pid files, logs of started processes. */
  readonly state: (service: string, component: string) => Promise<string>;
  /** `runs/42`: what a run leaves for people, such as lost rows. */
  readonly run: (run: number) => Promise<string>;
};

/** What drivers and steps need to act on components. */
export type ComponentParts = {
  readonly registry: DriverRegistry;
  /** Reads the inside of a `${file:...}`, `${env:...}` or `${command:...}`. @throws RefloatError secret.unavailable */
  readonly readSecret: (source: string, signal: AbortSignal) => Promise<Secret>;
  readonly directories: Directories;
  readonly clock: Clock;
  readonly log: Log;
};

export type Host = {
  readonly hostname: string;
  readonly toolVersion: string;
  readonly timeZone: string;
  /** Free bytes of the file systems under the given paths against what is needed there. */
  readonly space: (needs: readonly (Footprint & { readonly component: string })[]) => Promise<readonly SpaceForecast[]>;
};

/** Asks a person. Returns null when nobody can be asked; then the run waits. */
export type Approver = (
  question: string,
  signal: AbortSignal,
) => Promise<{ readonly approved: boolean; readonly by: string } | null>;

/** The person at this terminal, for what only a person can do. */
export type Attendant = {
  readonly isThere: boolean;
  /**
   * Shows what is to be done and asks what was seen.
   * @param needsEvidence nothing seen is no answer
   * @returns null when there is nobody, or the question was left
   */
  readonly perform: (text: string, needsEvidence: boolean, signal: AbortSignal) => Promise<string | null>;
};

/** Who acts, with the user and the groups of the system. */
export type ActingPerson = { readonly name: string; readonly roles: readonly string[] };

export type FenceRequest = {
  readonly service: string;
  readonly fence: FenceDeclaration;
  readonly bind: Bind;
  readonly signal: AbortSignal;
};

export type Workbench = ComponentParts & {
  readonly host: Host;
  readonly person: () => Promise<ActingPerson>;
  readonly places: NewPlaces;
  readonly freezes: Freezes;
  /** Could the lines of a fence be run, and what does its proof say now? Fences nothing off. */
  readonly examineFence: (request: FenceRequest) => Promise<PreflightReport>;
  readonly mount: MountPoint;
  readonly escrow: EscrowTools;
  readonly discovery: Discovery;
  /** The parsed file. @throws RefloatError config.not-found, config.invalid */
  readonly declaration: () => Promise<Declaration>;
  /** Opens the vault once per process; later calls give the same. @throws RefloatError vault.* */
  readonly vault: () => Promise<OpenVault>;
  /** What this machine remembers of the vault. Opens it. */
  readonly vaultMemory: () => Promise<VaultMemory>;
  /** Opens another vault, or makes it, to be cut as the declared one is. @throws RefloatError vault.* */
  readonly otherVault: (other: OtherVault) => Promise<OpenVault>;
  /** Works from the vault alone: what is declared comes from its points, and secrets may not be here yet. */
  readonly breakGlass: boolean;
  /** The keys of the declared vault. */
  readonly vaultKeys: () => Promise<VaultKeys>;
  /**
   * Makes the declared vault.
   * @param options.inPlaceOf first letters of the id of a vault that this machine has known there and that is given up
   * @throws RefloatError vault.exists, vault.away
   */
  readonly createVault: (options: {
    readonly inPlaceOf: string | null;
  }) => Promise<{ readonly location: string; readonly id: string }>;
  /** Opened at once; it reaches for the vault when there is something to bring. */
  readonly audit: AuditLog;
  /** Tells the people of `notify:`. */
  readonly notifier: Notifier;
  readonly journal: () => Promise<Journal>;
  /** Those of the engine: to ask who executes a run now, or whether nobody does. */
  readonly leases: () => Promise<Leases>;
  readonly engine: () => Promise<Engine>;
};
