/**
 * Faults at random, in a folder, over SFTP and in a bucket: hundreds in each run, REFLOAT_FAULTS=10000 for as many as a night has room for
 * (`npm run test:nightly`), REFLOAT_FAULT_SEED to run the same kind of trouble again.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type FaultProxy, startFaultProxy } from "../../src/testing/fault-proxy.ts";
import {
  type StartFaults,
  faultsOfStore,
  faultsOnTheWire,
  honestWireFaults,
  lyingWireFaults,
} from "../../src/testing/fault-sources.ts";
import { honestFaults, lyingFaults } from "../../src/testing/faulty-store.ts";
import { type RadosgwServer, startRadosgw } from "../../src/testing/radosgw-server.ts";
import { makeBucket, s3ClientOf, s3SettingsOf } from "../../src/testing/s3-bucket.ts";
import { type SshServer, startSshServer } from "../../src/testing/ssh-server.ts";
import { workUnderFaults } from "../../src/testing/store-faults.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openMasterKey } from "../../src/vault/repository/seal/key-file.ts";
import { openStore } from "../../src/vault/repository/stores/open-store.ts";
import type { StoreSettings } from "../../src/vault/repository/stores/store-settings.ts";

const wanted = Number(process.env["REFLOAT_FAULTS"] ?? 200);
const seed = Number(process.env["REFLOAT_FAULT_SEED"] ?? Math.floor(Math.random() * 1_000_000));
const timeoutMs = 3_600_000;

describe(`faults of stores, seed ${seed}`, () => {
  let folder: TestFolder;
  let server: SshServer;
  let gateway: RadosgwServer;
  let proxy: FaultProxy;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-faults");
    [server, gateway] = await Promise.all([startSshServer(), startRadosgw()]);
    proxy = await startFaultProxy(gateway.url);
  });

  afterAll(async () => {
    await proxy.stop();
    await gateway.stop();
    await server.stop();
    await folder.remove();
  });

  const vaultAt = async (location: string, settings: StoreSettings) => {
    await (await createRepository(location, "secret", { clock: systemClock, settings })).close();
    const open = () => openStore(location, { blocking: false, settings });
    const store = open();
    const masterKey = await openMasterKey(store, "secret");
    await store.close();
    return { open, masterKey, settings };
  };
  type Place = Awaited<ReturnType<typeof vaultAt>> & { readonly honest: StartFaults; readonly lying: StartFaults };

  const decorated = (vault: Awaited<ReturnType<typeof vaultAt>>): Place => ({
    ...vault,
    honest: faultsOfStore(vault.open, honestFaults, seed),
    lying: faultsOfStore(vault.open, lyingFaults, seed + 1),
  });
  /** A real server, and the faults on the way to it: as many of them as the decorator has would take hours. */
  const inBucket = async (name: string): Promise<Place> => {
    const client = s3ClientOf(gateway);
    await makeBucket(client, name, { locks: true });
    client.destroy();
    const settings = { s3: s3SettingsOf(gateway.owner) };
    const throughProxy = () => openStore(`s3:${proxy.url}/${name}/vault`, { blocking: false, settings });
    return {
      ...(await vaultAt(`s3:${gateway.url}/${name}/vault`, settings)),
      honest: faultsOnTheWire(proxy, throughProxy, honestWireFaults),
      lying: faultsOnTheWire(proxy, throughProxy, lyingWireFaults),
    };
  };

  /** A connection costs a handshake, a request to a bucket its repetition after a pause: a tenth of the faults. */
  const places: readonly {
    readonly title: string;
    readonly share: number;
    readonly locks: boolean;
    readonly make: (name: string) => Promise<Place>;
  }[] = [
    {
      title: "a folder",
      share: 1,
      locks: false,
      make: async (name) => decorated(await vaultAt(`${folder.path}/${name}`, {})),
    },
    {
      title: "SFTP",
      share: 0.1,
      locks: false,
      make: async (name) => decorated(await vaultAt(server.location(name), { sshConfig: server.configFile })),
    },
    { title: "S3", share: 0.1, locks: true, make: inBucket },
  ];

  for (const { title, share, locks, make } of places) {
    const atLeast = Math.max(20, Math.ceil((wanted * share) / 2));

    it(
      `${title}: a store that says when it fails loses nothing that was committed`,
      { timeout: timeoutMs },
      async () => {
        const { honest, lying: _lying, ...vault } = await make("honest");
        const report = await workUnderFaults({ ...vault, seed, atLeast, faults: honest, locks });
        expect(report.faults).toBeGreaterThanOrEqual(atLeast);
        expect(report.committed + Object.values(report.refused).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(
          0,
        );
      },
    );

    it(
      `${title}: a store that lies when it is read never makes us hand out a wrong byte`,
      { timeout: timeoutMs },
      async () => {
        const { honest: _honest, lying, ...vault } = await make("lying");
        const report = await workUnderFaults({ ...vault, seed: seed + 1, atLeast, faults: lying, locks });
        expect(report.faults).toBeGreaterThanOrEqual(atLeast);
        expect(Object.keys(report.refused).length).toBeGreaterThan(0);
      },
    );
  }
});
