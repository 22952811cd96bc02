/** Just what `vault copy` needs of a workbench: two vaults under passwords of their own. And points to copy. */
import { shopPoint } from "../../fixtures/shop.ts";
import { forgettingAuditLog } from "../../../src/core/audit/forgetting-audit-log.ts";
import type { Repository } from "../../../src/core/ports/vault.ts";
import type { OpenVault, Workbench } from "../../../src/core/ports/workbench.ts";
import type { ServiceDeclaration } from "../../../src/model/declaration.ts";
import type { PointId } from "../../../src/model/identifiers.ts";
import { silentLog } from "../../../src/platform/log.ts";
import { systemClock } from "../../../src/platform/system-clock.ts";
import { createEscrowBundles } from "../../../src/vault/points/escrow-bundles.ts";
import { createIncidents } from "../../../src/vault/points/incidents.ts";
import { createLogs } from "../../../src/vault/points/logs.ts";
import { createMarks } from "../../../src/vault/points/marks.ts";
import { createPointDepartures } from "../../../src/vault/points/departures.ts";
import { createPointHolds } from "../../../src/vault/points/point-holds.ts";
import { createPointStore } from "../../../src/vault/points/point-store.ts";
import { createRunCopies } from "../../../src/vault/points/run-copies.ts";
import { createRepository } from "../../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../../src/vault/repository/open-repository.ts";
import type { StoreSettings } from "../../../src/vault/repository/stores/store-settings.ts";
import { password } from "./restic.ts";

const never = new AbortController().signal;

export const otherPassword = "battery staple";

export const asOpenVault = (repository: Repository): OpenVault => ({
  repository,
  points: createPointStore(repository),
  departures: createPointDepartures(repository),
  holds: createPointHolds(repository),
  marks: createMarks({ repository, clock: systemClock, lockFor: async () => null }),
  incidents: createIncidents({ repository, clock: systemClock, lockFor: async () => null }),
  runCopies: createRunCopies(repository),
  escrows: createEscrowBundles(repository),
  logs: createLogs({ repository, clock: systemClock, lockFor: async () => null }),
});

/**
 * @param source as opened by the caller, who closes it; `close` closes the others
 * @param threadEntry what the threads of the others run
 */
export const createCopyBench = (source: Repository, settings: StoreSettings = {}, threadEntry?: URL) => {
  const opened: Repository[] = [];
  const bench = {
    clock: systemClock,
    log: silentLog,
    audit: forgettingAuditLog,
    vault: async () => asOpenVault(source),
    otherVault: async ({ url, password: secret, create = false }) => {
      const text = (await secret?.()) ?? password;
      const environment = {
        clock: systemClock,
        settings,
        ...(threadEntry === undefined ? {} : { threadEntry }),
      };
      const repository = create
        ? await createRepository(url, text, environment, source)
        : await openRepository(url, text, environment);
      opened.push(repository);
      return asOpenVault(repository);
    },
  } satisfies Partial<Workbench> as unknown as Workbench;
  const close = async (): Promise<void> => {
    for (const repository of opened.splice(0)) await repository.close();
  };
  return { bench, close };
};

export const copyTo = (url: string, options: { readonly create?: boolean; readonly dryRun?: boolean } = {}) => ({
  to: { url, password: async () => otherPassword, create: options.create ?? false },
  service: null,
  points: [],
  dryRun: options.dryRun ?? false,
});

/** A point whose members are all one snapshot of the folder. */
export const takePoint = async (
  repository: Repository,
  tree: string,
  at: string,
  lock?: NonNullable<ServiceDeclaration["lock"]>,
): Promise<PointId> => {
  const writer = await repository.beginSnapshot({
    hostname: "h",
    time: new Date(at),
    tags: ["refloat", "component=docs"],
    paths: [tree],
  });
  await writer.tree(tree, { exclude: [], oneFileSystem: false }, never);
  const { id: snapshot } = await writer.commit();
  const { manifest } = shopPoint({ id: "0", at });
  const declaration = lock === undefined ? manifest.declaration : { ...manifest.declaration, lock };
  const components = Object.fromEntries(
    Object.entries(manifest.components).map(([name, part]) => [name, { ...part, snapshot }]),
  );
  return createPointStore(repository).commit({ ...manifest, declaration, components });
};
