/**
 * Composition root: puts clock, drivers, vault, journal and engine together for one process. The only place, with main.ts,
 * that knows the concrete ones. Everything is opened when it is first needed and closed in reverse order.
 */
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { auditedApprover } from "./core/audit/audited-approver.ts";
import { parseDeclaration } from "./core/declaration/parse-declaration.ts";
import { parseTemplate } from "./core/declaration/template.ts";
import { askHealth } from "./core/recovery/service-needs.ts";
import { readRecoveryKey } from "./core/keys/recovery-key.ts";
import type { Repository } from "./core/ports/vault.ts";
import type { Approver, Attendant, OpenVault, Workbench } from "./core/ports/workbench.ts";
import { lockBeside } from "./core/points/point-locks.ts";
import { parseByteSize } from "./core/text/byte-size.ts";
import { shellWord } from "./core/text/shell-word.ts";
import { driverRegistry } from "./driver-registry.ts";
import { createEngine } from "./engine/create-engine.ts";
import { createAuditLog } from "./journal/audit-log.ts";
import { openJournal } from "./journal/open-journal.ts";
import type { Declaration } from "./model/declaration.ts";
import { shortId } from "./model/identifiers.ts";
import type { RunRecord } from "./model/run.ts";
import { RefloatError } from "./model/refloat-error.ts";
import { describeSystemError } from "./platform/system-error.ts";
import { capture } from "./operations/capture.ts";
import { currentPerson } from "./platform/current-person.ts";
import { runSpans } from "./core/trace/run-spans.ts";
import { tracingEngine } from "./core/trace/tracing-engine.ts";
import { exportSpans } from "./platform/trace/export-spans.ts";
import { readOtlpSettings } from "./platform/trace/otlp-settings.ts";
import { notifyingEngine } from "./core/notify/run-notifications.ts";
import { createNotifier } from "./platform/notify/create-notifier.ts";
import { escrowTools } from "./platform/escrow-tools.ts";
import { measureSpace } from "./platform/free-space.ts";
import { type VaultPlace, createKnownVaults } from "./platform/known-vaults.ts";
import { createLeases } from "./platform/lease.ts";
import { actingPerson } from "./platform/person-roles.ts";
import { createLog, silentLog } from "./platform/log.ts";
import { newPlaces } from "./platform/new-places.ts";
import { endOrphans } from "./platform/orphans.ts";
import { examineFence } from "./platform/examine-fence.ts";
import { createFreezes } from "./platform/quiesce/create-freezes.ts";
import { type WrittenPlace, ownPlaces } from "./platform/quiesce/freezable.ts";
import { hideText, readSecret } from "./platform/secret.ts";
import { createDirectories, defaultCacheDirectory, makeStateFolder } from "./platform/state-directories.ts";
import { systemClock } from "./platform/system-clock.ts";
import { observeTree, readDeclarationFile } from "./platform/observe-tree.ts";
import { unifiedDiff } from "./platform/unified-diff.ts";
import { createResticMount } from "./platform/restic-mount.ts";
import { resticSettings } from "./platform/restic-settings.ts";
import { declaredOrigin, withOrigin } from "./platform/vault-password-origin.ts";
import { createVaultMemory } from "./platform/vault-memory.ts";
import { createStepHandlers } from "./steps/step-handlers.ts";
import { createAuditArchive } from "./vault/points/audit-archive.ts";
import { declarationOfPoints } from "./vault/points/declaration-of-points.ts";
import { createEscrowBundles } from "./vault/points/escrow-bundles.ts";
import { createIncidents } from "./vault/points/incidents.ts";
import { createLogs } from "./vault/points/logs.ts";
import { createMarks } from "./vault/points/marks.ts";
import { createPointDepartures } from "./vault/points/departures.ts";
import { createPointHolds } from "./vault/points/point-holds.ts";
import { createPointStore } from "./vault/points/point-store.ts";
import { createRunCopies } from "./vault/points/run-copies.ts";
import { createRepository } from "./vault/repository/create-repository.ts";
import { openKeys } from "./vault/repository/open-keys.ts";
import { isRepositoryAt, openRepository } from "./vault/repository/open-repository.ts";
import { type StoreUseHandle, createStoreUse, readStoreUse } from "./vault/repository/stores/decorators/store-use.ts";
import { createThrottle } from "./vault/repository/stores/decorators/throttle.ts";
import { localFolderOf } from "./vault/repository/stores/open-store.ts";
import type { StoreSettings } from "./vault/repository/stores/store-settings.ts";

export type WorkbenchOptions = {
  readonly configFile: string;
  /** Break-glass: works from this vault alone. */
  readonly vault: {
    readonly url: string;
    readonly password: () => Promise<string>;
    /** Where the password comes from, after "the password": `in /root/key`. */
    readonly passwordFrom: string;
  } | null;
  readonly stateDirectory: string;
  /** A file's path, `-` for standard error, or null for no log. */
  readonly log: string | null;
  readonly verbose: boolean;
  /** Keep copies of a remote vault's indexes and trees. */
  readonly cache: boolean;
  /** Bytes in a second; flags go before the file. */
  readonly limits: { readonly upload?: number; readonly download?: number };
  /** Read the vault as it was then, and write nothing to it; null for the vault as it is. */
  readonly vaultAsOf?: Date | null;
  readonly version: string;
  /** Where the standard variables of OpenTelemetry are looked for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly approver: Approver;
  readonly attendant: Attendant;
};

export type RunningWorkbench = { readonly bench: Workbench; readonly close: () => Promise<void> };

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Remembers the first call's promise: opened once, shared by all who ask. */
const once = <Value>(make: () => Promise<Value>): (() => Promise<Value>) => {
  let made: Promise<Value> | undefined;
  return () => (made ??= make());
};

export const createWorkbench = (options: WorkbenchOptions): RunningWorkbench => {
  const clock = systemClock;
  const log =
    options.log === null
      ? silentLog
      : createLog(options.verbose ? "debug" : "info", options.log === "-" ? null : options.log);
  const directories = createDirectories(options.stateDirectory);
  const closers: (() => Promise<void>)[] = [];
  const never = new AbortController().signal;

  const declaredVault = once(async (): Promise<Declaration["vault"]> =>
    options.vault === null
      ? (await declaration()).vault
      : { url: options.vault.url, password: "${env:REFLOAT_PASSWORD}" },
  );

  const writtenPlaces = async (): Promise<readonly WrittenPlace[]> => {
    const vaultFolder = localFolderOf((await declaredVault()).url);
    return [...ownPlaces(options), ...(vaultFolder === null ? [] : [{ what: "the vault", path: vaultFolder }])];
  };

  const vaultPassword = once(async () =>
    options.vault === null ? boundText((await declaredVault()).password) : options.vault.password(),
  );

  const knownVaults = createKnownVaults({ stateDirectory: options.stateDirectory, clock, log });

  const withPassword = async <Opened>(open: (password: string) => Promise<Opened>): Promise<Opened> => {
    const password = await vaultPassword();
    try {
      return await open(password);
    } catch (error) {
      throw await withOrigin(error, password, async () =>
        options.vault === null
          ? declaredOrigin((await declaredVault()).password, options.configFile)
          : { from: options.vault.passwordFrom, namedAt: null },
      );
    }
  };

  const declaration = once(async () =>
    options.vault === null
      ? readDeclaration(options.configFile)
      : declarationOfPoints(await declaredVault(), await (await vault()).points.list()),
  );

  const boundText = async (template: string): Promise<string> => {
    let text = "";
    for (const part of parseTemplate(template)) {
      text +=
        part.kind === "secret"
          ? (await readSecret(part.reference, never)).reveal()
          : part.kind === "literal"
            ? part.text
            : "";
    }
    return text;
  };

  const s3Settings = async ({ s3 }: Declaration["vault"]): Promise<Pick<StoreSettings, "s3">> => {
    if (s3 === undefined) return {};
    const { accessKeyId, secretAccessKey, sessionToken, ...open } = s3;
    return {
      s3: {
        ...open,
        ...(accessKeyId === undefined ? {} : { accessKeyId: await boundText(accessKeyId) }),
        ...(secretAccessKey === undefined ? {} : { secretAccessKey: hideText(await boundText(secretAccessKey)) }),
        ...(sessionToken === undefined ? {} : { sessionToken: hideText(await boundText(sessionToken)) }),
      },
    };
  };

  /** What every store of this command is opened with, the declared vault's and another copy's. */
  const settingsFor = async (declared: Declaration["vault"], use = createStoreUse()): Promise<StoreSettings> => ({
    ...storeSettings(declared, options, use),
    ...(await s3Settings(declared)),
  });

  const vault = once(async (): Promise<OpenVault> => {
    const declared = await declaredVault();
    const use = createStoreUse();
    const settings = {
      ...(await settingsFor(declared, use)),
      ...(options.vaultAsOf == null ? {} : { asOf: options.vaultAsOf }),
    };
    const repository = await knownVaults.opening(placeOfVault(declared.url), () =>
      withPassword((password) => openRepository(declared.url, password, { clock, log, settings })),
    );
    closers.push(async () => {
      await repository.close();
      log.info("the vault is closed", { location: repository.location, use: readStoreUse(use) });
    });
    return openVault(repository);
  });

  const lockOfService = async (service: string) =>
    lockBeside([(await declaration()).services[service]?.lock], clock.now());

  const openVault = (repository: Repository): OpenVault => ({
    repository,
    points: createPointStore(repository),
    departures: createPointDepartures(repository, clock),
    holds: createPointHolds(repository, clock),
    marks: createMarks({ repository, clock, lockFor: lockOfService }),
    incidents: createIncidents({ repository, clock, lockFor: lockOfService }),
    runCopies: createRunCopies(repository, clock, lockOfService),
    escrows: createEscrowBundles(repository, clock, lockOfLog),
    logs: createLogs({ repository, clock, lockFor: lockOfService }),
  });

  /** As long as any point that may be taken now: the log tells of all of them, and a bundle serves all of them. */
  const lockOfLog = async () => {
    const services = await declaration().then(
      (declared) => Object.values(declared.services),
      // A vault without points has no declaration, and nothing that is locked.
      () => [],
    );
    return lockBeside(
      services.map(({ lock }) => lock),
      clock.now(),
    );
  };

  const vaultKeys = once(async () => {
    const declared = await declaredVault();
    const settings = await settingsFor(declared);
    const keys = await knownVaults.finding(placeOfVault(declared.url), () =>
      withPassword((password) => openKeys(declared.url, password, { clock, log, settings })),
    );
    closers.push(keys.close);
    return keys;
  });

  const audit = createAuditLog({
    directory: join(options.stateDirectory, "audit"),
    by: { ...currentPerson(), host: hostname(), tool: options.version },
    clock,
    log,
    archive: async () =>
      createAuditArchive((await vault()).repository, { hostname: hostname(), clock, log, lock: lockOfLog }),
    anchors: async () =>
      (await (await vault()).points.list()).flatMap(({ id, manifest, madeIn }) =>
        manifest.audit === undefined || madeIn !== undefined
          ? []
          : [{ ...manifest.audit, knownBy: `point ${shortId(id)}` }],
      ),
  });

  const stateDirectory = once(() => makeStateFolder(options.stateDirectory));

  const journal = once(async () => {
    const opened = await openJournal(join(await stateDirectory(), "journal.db"));
    closers.push(opened.close);
    return opened;
  });

  const leases = once(async () => createLeases(join(await stateDirectory(), "leases")));

  const notifier = createNotifier({
    // Without a file, or with a broken one, there is nobody to tell; whatever needs the file says what is wrong with it.
    targets: () =>
      declaration().then(
        ({ notify = [] }) => notify,
        () => [],
      ),
    memory: join(options.stateDirectory, "notified.json"),
    log,
  });

  const traceRun = ({ number }: RunRecord): void => {
    const choice = readOtlpSettings(options.environment);
    if (choice.kind === "off") return;
    const target = choice.kind === "on" ? `collector ${new URL(choice.settings.url).host}` : "the collector";
    notifier.carry({ target, event: `trace of run ${number}` }, async () => {
      if (choice.kind === "unusable") throw new RefloatError("trace.undelivered", choice.reason);
      const { record, plan } = await (await journal()).readRun(number);
      const events = await (await journal()).events(number);
      const now = clock.now().toISOString();
      await exportSpans(runSpans({ record, plan, events, now, digest: sha256 }), choice.settings, options.version);
    });
  };

  const engine = once(async () => {
    const handlers = createStepHandlers({
      registry: driverRegistry,
      readSecret,
      directories,
      clock,
      log,
      vault,
      approver: auditedApprover(options.approver, audit),
      attendant: options.attendant,
      person: actingPerson,
      takePoint: (service, given) => capture(bench, { service, ...given, onEvent: () => undefined }),
    });
    /** Copies in the vault that this process has made or has begun with; any other is of another machine. */
    const known = new Set<string>();
    const mirror = async (run: RunRecord) => {
      // Nothing can be added to the past, and a recovery out of it is needed all the more.
      if (options.vaultAsOf != null)
        return log.warn("no copy of the run is kept in the vault as of a time", { run: run.number });
      const { runCopies } = await vault();
      known.add(await runCopies.save(run, await (await journal()).exportRun(run.number)));
    };
    const made = createEngine({
      journal: await journal(),
      leases: await leases(),
      handlers,
      clock,
      log,
      newUid: randomUUID,
      hooks: {
        beforeCutover: mirror,
        atEnd: mirror,
        takenUp: async (run) => {
          for (const { id } of await (await vault()).runCopies.of(run.uid)) known.add(id);
          await mirror(run);
        },
        takenUpElsewhere: async ({ uid }) => {
          const foreign = (await (await vault()).runCopies.of(uid)).find(({ id }) => !known.has(id));
          return foreign === undefined ? null : `on ${foreign.hostname} at ${foreign.savedAt}`;
        },
        isWell: async (service, signal) => {
          const { health, found } = await askHealth(bench, service, signal);
          return health === "works" ? found : null;
        },
        beforeResume: async (_run, markers) => {
          endOrphans(markers);
        },
      },
    });
    const notifying = notifyingEngine(made, { notifier, journal: await journal(), clock, host: hostname() });
    return tracingEngine(notifying, traceRun);
  });

  const bench: Workbench = {
    registry: driverRegistry,
    readSecret,
    directories,
    clock,
    log,
    host: {
      hostname: hostname(),
      toolVersion: options.version,
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      space: measureSpace,
    },
    person: actingPerson,
    places: newPlaces,
    escrow: escrowTools,
    discovery: {
      observe: observeTree,
      file: async () => (options.vault === null ? readDeclarationFile(options.configFile) : null),
      patch: unifiedDiff,
    },
    freezes: createFreezes(join(options.stateDirectory, "quiesce"), writtenPlaces),
    examineFence,
    mount: createResticMount(async () => {
      if (options.vaultAsOf != null) {
        throw new RefloatError("usage", "restic, which mounts vaults, cannot open one as it was at another time", {
          hint: "--vault-as-of serves browse, find and extract",
        });
      }
      const declared = await declaredVault();
      const { url, s3 } = declared;
      const settings = resticSettings(declared, rateOf(options.limits.download, declared.limit?.download));
      const environment: Record<string, string> = { ...settings.environment };
      for (const [name, template] of Object.entries({
        AWS_ACCESS_KEY_ID: s3?.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3?.secretAccessKey,
        AWS_SESSION_TOKEN: s3?.sessionToken,
      })) {
        if (template !== undefined) environment[name] = await boundText(template);
      }
      const password = await vaultPassword();
      return { url, password: readRecoveryKey(password) ?? password, environment, options: settings.options };
    }),
    declaration,
    vault,
    vaultMemory: async () => createVaultMemory(await stateDirectory(), (await vault()).repository.id, log),
    otherVault: async ({ url, password, create = false, inPlaceOf = null }) => {
      const settings = await settingsFor(await declaredVault());
      const opening = [url, (await password?.()) ?? (await vaultPassword()), { clock, log, settings }] as const;
      const place = placeOfVault(url, `refloat vault copy --to ${shellWord(url)} --init --in-place-of`);
      const like = create ? (await vault()).repository : null;
      const repository =
        like === null
          ? await knownVaults.opening(place, () => openRepository(...opening))
          : await knownVaults.making(place, {
              inPlaceOf,
              isThere: () => isRepositoryAt(url, settings),
              make: () => createRepository(...opening, like),
            });
      closers.push(repository.close);
      return openVault(repository);
    },
    breakGlass: options.vault !== null,
    vaultKeys,
    createVault: async ({ inPlaceOf }) => {
      const declared = await declaredVault();
      const { url } = declared;
      const settings = await settingsFor(declared);
      const password = await vaultPassword();
      const repository = await knownVaults.making(placeOfVault(url), {
        inPlaceOf,
        isThere: () => isRepositoryAt(url, settings),
        make: () => createRepository(url, password, { clock, log, settings }),
      });
      closers.push(repository.close);
      return { location: repository.location, id: repository.id };
    },
    audit,
    notifier,
    journal,
    leases,
    engine,
  };

  return {
    bench,
    close: async () => {
      for (const close of closers.reverse()) await close();
    },
  };
};

const placeOfVault = (url: string, anew = "refloat vault init --in-place-of"): VaultPlace => {
  const folder = localFolderOf(url);
  return { location: folder === null ? url.replace(/\/+$/, "") : resolve(folder), folder, anew };
};

const usualCacheBytes = 1_000_000_000;

/** What the command line says counts, else what the declaration says. */
const rateOf = (flag: number | undefined, text: string | undefined): number | undefined =>
  flag ?? (text === undefined ? undefined : parseByteSize(text));

const storeSettings = (
  { limit, cache, sshConfig }: Declaration["vault"],
  options: WorkbenchOptions,
  use: StoreUseHandle,
): StoreSettings => {
  const upload = rateOf(options.limits.upload, limit?.upload);
  const download = rateOf(options.limits.download, limit?.download);
  const throttle = createThrottle({
    ...(upload === undefined ? {} : { uploadBytesPerSecond: upload }),
    ...(download === undefined ? {} : { downloadBytesPerSecond: download }),
  });
  return {
    use,
    ...(options.cache
      ? { cache: { folder: defaultCacheDirectory(), maxBytes: rateOf(undefined, cache) ?? usualCacheBytes } }
      : {}),
    ...(throttle === undefined ? {} : { throttle }),
    ...(sshConfig === undefined ? {} : { sshConfig }),
  };
};

const readDeclaration = async (file: string): Promise<Declaration> => {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new RefloatError("config.not-found", `${file} cannot be read: ${describeSystemError(error)}`, {
      cause: error,
      hint: "name it with --config FILE, or let Refloat propose one",
      nextCommand: "refloat init",
    });
  }
  const { declaration, diagnostics } = parseDeclaration(text, file, driverRegistry);
  if (declaration !== undefined) return declaration;
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  throw new RefloatError(
    "config.invalid",
    `${file} has ${errors.length} ${errors.length === 1 ? "mistake" : "mistakes"}`,
    {
      diagnostics: errors,
      nextCommand: "refloat validate",
    },
  );
};
