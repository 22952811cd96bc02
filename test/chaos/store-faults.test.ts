/** Hundreds of faults in a folder, fewer over SFTP; REFLOAT_FAULTS=10000 for as many as a night has room for, REFLOAT_FAULT_SEED to run one again. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { honestFaults, lyingFaults } from "../../src/testing/faulty-store.ts";
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

  beforeAll(async () => {
    folder = await createTestFolder("refloat-faults");
    server = await startSshServer();
  });

  afterAll(async () => {
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
  const places: readonly {
    readonly title: string;
    readonly share: number;
    readonly make: (name: string) => ReturnType<typeof vaultAt>;
  }[] = [
    { title: "a folder", share: 1, make: async (name) => vaultAt(`${folder.path}/${name}`, {}) },
    // A tenth of the faults: each connection costs a handshake.
    {
      title: "SFTP",
      share: 0.1,
      make: async (name) => vaultAt(server.location(name), { sshConfig: server.configFile }),
    },
  ];

  for (const { title, share, make } of places) {
    const atLeast = Math.ceil((wanted * share) / 2);

    it(
      `${title}: a store that says when it fails loses nothing that was committed`,
      { timeout: timeoutMs },
      async () => {
        const report = await workUnderFaults({
          ...(await make("honest")),
          seed,
          atLeast,
          faults: honestFaults,
          captures: true,
        });
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
        const report = await workUnderFaults({
          ...(await make("lying")),
          seed: seed + 1,
          atLeast,
          faults: lyingFaults,
          captures: true,
        });
        expect(report.faults).toBeGreaterThanOrEqual(atLeast);
        expect(report.refused["vault.damaged"]).toBeGreaterThan(0);
      },
    );
  }
});
