/**
 * A vault whose process is killed by SIGKILL at one write, for as many of them as there are: a capture over SFTP or into a bucket, a repair, a
 * copy, in the threads that write packs too. Nothing that was there is lost or half there, and the same act finishes afterwards. The usual run
 * meets a few of the writes, REFLOAT_KILLS=all every single one; REFLOAT_FAULT_SEED to meet the same ones again.
 */
import { chmod, cp, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import { RefloatError } from "../../src/model/refloat-error.ts";
import { copyVault } from "../../src/operations/vault-copy.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { seededRandom } from "../../src/testing/faulty-store.ts";
import { type RadosgwServer, startRadosgw } from "../../src/testing/radosgw-server.ts";
import { makeBucket, s3ClientOf, s3SettingsOf } from "../../src/testing/s3-bucket.ts";
import { type SshServer, startSshServer } from "../../src/testing/ssh-server.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import type { StoreSettings } from "../../src/vault/repository/stores/store-settings.ts";
import { asOpenVault, copyTo, createCopyBench, otherPassword, takePoint } from "../interop/support/copy-bench.ts";
import { noise } from "../interop/support/nasty-tree.ts";
import { password, requireRestic, restic } from "../interop/support/restic.ts";
import { mendVault } from "./support/mend-vault.ts";

const never = new AbortController().signal;
const script = new URL("support/vault-act.ts", import.meta.url).pathname;
const environment = { clock: systemClock };
const seed = Number(process.env["REFLOAT_FAULT_SEED"] ?? Math.floor(Math.random() * 1_000_000));
const all = process.env["REFLOAT_KILLS"] === "all";
const few = 3;
const timeoutMs = all ? 3_600_000 : 900_000;

requireRestic();

describe(`a vault whose process is killed at a write, seed ${seed}`, () => {
  const random = seededRandom(seed);
  let folder: TestFolder;
  let server: SshServer;
  let gateway: RadosgwServer;
  let tree: string;
  let original: string;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-vault-kills");
    [server, gateway] = await Promise.all([startSshServer(), startRadosgw()]);
    tree = `${folder.path}/tree`;
    original = `${folder.path}/original`;
    await mkdir(`${tree}/deep/er`, { recursive: true });
    await writeFile(`${tree}/large`, noise(400_000, "large"));
    for (let at = 0; at < 20; at += 1) await writeFile(`${tree}/deep/er/${at}`, noise(1 + at * 50, `small ${at}`));
    const repository = await createRepository(original, password, environment);
    await takePoint(repository, tree, "2026-11-22T10:00:00.000Z");
    await writeFile(`${tree}/new`, noise(100_000, "new"));
    await takePoint(repository, tree, "2026-11-22T11:00:00.000Z");
    await repository.close();
  });

  afterAll(async () => {
    await gateway.stop();
    await server.stop();
    await folder.remove();
  });

  const inVault = async <Result>(
    vault: string,
    act: (repository: Repository) => Promise<Result>,
    secret = password,
    settings = {},
  ): Promise<Result> => {
    const repository = await openRepository(vault, secret, { ...environment, settings });
    try {
      return await act(repository);
    } finally {
      await repository.close();
    }
  };

  /** @returns how many writes there were; null if it was killed */
  const run = async (killAt: number, ...args: readonly string[]): Promise<number | null> => {
    const { accessKeyId, secretAccessKey } = gateway.owner;
    const env = {
      KILL_AT: String(killAt),
      NODE_COMPILE_CACHE: `${folder.path}/compiled`,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
    const { signal, stdout, stderr, exitCode } = await execa(process.execPath, [script, ...args], {
      reject: false,
      env,
    });
    if (signal === "SIGKILL") return null;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    return Number(stdout);
  };

  const momentsOf = (count: number): readonly number[] => {
    const stride = all ? 1 : count / few;
    const first = all ? 0 : random() * stride;
    const moments: number[] = [];
    for (let at = first; at < count; at += stride) moments.push(Math.floor(at) + 1);
    return moments;
  };

  /** Runs it once unharmed, then once for each moment, each time beginning with what `prepare` makes. */
  const killAtEach = async (
    prepare: (name: string) => Promise<readonly string[]>,
    check: (args: readonly string[], moment: string) => Promise<void>,
    leastWrites = 20,
  ): Promise<void> => {
    const count = await run(0, ...(await prepare("unharmed")));
    if (count === null) throw new Error("it was killed though nobody asked");
    expect(count).toBeGreaterThan(leastWrites);
    let killed = 0;
    for (const moment of momentsOf(count)) {
      const args = await prepare(`killed-${moment}`);
      // Threads share the work anew each time, so that the last writes may not be met.
      if ((await run(moment, ...args)) === null) killed += 1;
      await check(args, `write ${moment} of ${count}`);
    }
    expect(killed).toBeGreaterThan(1);
    process.stderr.write(`${killed} kills at ${count} writes\n`);
  };

  const copyAll = async (to: string, create: boolean): Promise<void> =>
    inVault(original, async (repository) => {
      const { bench, close } = createCopyBench(repository);
      const nobody = () => undefined;
      await copyVault(bench, copyTo(to, { create }), never, nobody, nobody);
      await close();
    });

  const errorsOf = async (repository: Repository): Promise<readonly string[]> =>
    (await repository.verify({ depth: "read-data" }, never)).findings
      .filter(({ severity }) => severity === "error")
      .map(({ message }) => message);

  const names = ["large", "new", "deep/er/19"];

  /** Newest first. */
  const snapshotsOfTree = async (repository: Repository) =>
    (await repository.snapshots())
      .filter(({ paths }) => paths.includes(tree))
      .sort((a, b) => b.time.localeCompare(a.time));

  const expectContents = async (repository: Repository): Promise<void> => {
    const [newest] = await snapshotsOfTree(repository);
    const reader = await repository.openSnapshot(newest?.id ?? "");
    for (const name of names) {
      const found = Buffer.from(await reader.read(`${tree}/${name}`));
      expect(found.equals(await readFile(join(tree, name))), `${name} is not what was captured`).toBe(true);
    }
  };

  /** What can be read of all snapshots, and is what was captured. */
  const readable = async (repository: Repository): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const { id } of await snapshotsOfTree(repository)) {
      for (const name of names) {
        try {
          const bytes = Buffer.from(await (await repository.openSnapshot(id)).read(`${tree}/${name}`));
          expect(bytes.equals(await readFile(join(tree, name))), "a wrong byte was handed out").toBe(true);
          found.push(`${id} ${name}`);
        } catch (error) {
          if (!(error instanceof RefloatError)) throw error;
        }
      }
    }
    return found;
  };

  const filesOf = async (vault: string, kind: string): Promise<readonly string[]> =>
    (await readdir(join(vault, kind), { recursive: true }))
      .filter((name) => name.length >= 64)
      .map((name) => join(vault, kind, name))
      .sort();

  /** Nothing half, and the same capture finishes. */
  const expectCapturable = async (location: string, moment: string, settings: StoreSettings): Promise<void> =>
    inVault(
      location,
      async (repository) => {
        expect(await errorsOf(repository), `at ${moment}`).toEqual([]);
        const committed = await repository.snapshots();
        expect([0, 1], `at ${moment}`).toContain(committed.length);
        if (committed.length === 1) await expectContents(repository);
        const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
        await writer.tree(tree, { exclude: [], oneFileSystem: false }, never);
        await writer.commit();
        await expectContents(repository);
        expect(await errorsOf(repository), `at ${moment}`).toEqual([]);
      },
      password,
      settings,
    );

  it("captures into a bucket", { timeout: timeoutMs }, async () => {
    const settings = { s3: s3SettingsOf(gateway.owner) };
    const client = s3ClientOf(gateway);
    await makeBucket(client, "kills", { locks: false });
    const prepare = async (name: string) => {
      const location = `s3:${gateway.url}/kills/${name}`;
      await (await createRepository(location, password, { ...environment, settings })).close();
      return ["capture", location, tree];
    };
    const check = async ([, location = ""]: readonly string[], moment: string): Promise<void> =>
      expectCapturable(location, moment, settings);
    // A file is one request, or two.
    await killAtEach(prepare, check, 5);
    expect((await client.listMultipartUploads({ Bucket: "kills" })).Uploads ?? []).toEqual([]);
    client.destroy();
  });

  it("captures over SFTP", { timeout: timeoutMs }, async () => {
    const settings = { sshConfig: server.configFile };
    await (await createRepository(server.location("empty"), password, { ...environment, settings })).close();
    const prepare = async (name: string) => {
      await cp(join(server.folder, "empty"), join(server.folder, name), { recursive: true });
      return ["capture", server.location(name), tree, server.configFile];
    };
    await killAtEach(prepare, async ([, location = ""], moment) => {
      await expectCapturable(location, moment, settings);
      expect(
        await readdir(join(server.folder, location.slice(location.lastIndexOf("/")), "tmp")),
        `at ${moment}`,
      ).toEqual([]);
    });
  });

  it("repairs", { timeout: timeoutMs }, async () => {
    const hurt = `${folder.path}/hurt`;
    const copy = `${folder.path}/repaired-from`;
    await copyAll(copy, true);
    await cp(original, hurt, { recursive: true });
    const flip = async (path: string, at: number): Promise<void> => {
      const bytes = await readFile(path);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      await chmod(path, 0o600);
      await writeFile(path, bytes);
    };
    const sizes = await Promise.all(
      (await filesOf(hurt, "data")).map(async (path) => ({ path, size: (await readFile(path)).length })),
    );
    const [largest] = sizes.sort((a, b) => b.size - a.size);
    await flip(largest?.path ?? "", 1000);
    const [index = ""] = await filesOf(hurt, "index");
    await flip(index, 40);
    const readBefore = await inVault(hurt, readable);
    const lostBefore = await inVault(hurt, errorsOf);
    expect(lostBefore.length).toBeGreaterThan(0);

    const prepare = async (name: string) => {
      await cp(hurt, `${folder.path}/${name}`, { recursive: true });
      await mkdir(`${folder.path}/${name}-evidence`);
      return ["repair", `${folder.path}/${name}`, copy, `${folder.path}/${name}-evidence`];
    };
    await killAtEach(prepare, async (args, moment) => {
      const [, vault = "", , evidence = ""] = args;
      await inVault(vault, async (repository) => {
        expect(await readable(repository), `at ${moment}`).toEqual(expect.arrayContaining([...readBefore]));
        expect((await errorsOf(repository)).length, `at ${moment}`).toBeLessThanOrEqual(lostBefore.length);
      });
      await inVault(vault, async (repository) => {
        await inVault(copy, async (other) => mendVault(repository, other, evidence), otherPassword);
        expect(await errorsOf(repository), `at ${moment}`).toEqual([]);
        await expectContents(repository);
        expect((await asOpenVault(repository).points.list()).map(({ missing }) => missing)).toEqual([[], []]);
      });
      // What was taken out is kept, byte for byte.
      const kept = await readFile(join(evidence, `data-${largest?.path.slice(-64) ?? ""}`));
      expect(kept.equals(await readFile(largest?.path ?? "")), `at ${moment}`).toBe(true);
      await restic(vault, "unlock");
      expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    });
  });

  it("copies to a second vault", { timeout: timeoutMs }, async () => {
    const empty = `${folder.path}/empty`;
    await (await createRepository(empty, otherPassword, environment)).close();
    const ids: readonly string[] = await inVault(original, async (repository) =>
      (await asOpenVault(repository).points.list()).map(({ id }) => id),
    );
    const prepare = async (name: string) => {
      await cp(empty, `${folder.path}/copy-${name}`, { recursive: true });
      return ["copy", original, `${folder.path}/copy-${name}`];
    };
    const inCopy = async (vault: string, check: (found: readonly string[]) => void): Promise<void> =>
      inVault(
        vault,
        async (repository) => {
          const found = await asOpenVault(repository).points.list();
          expect(found.flatMap(({ missing }) => missing)).toEqual([]);
          check(found.map(({ id }) => id));
          expect(await errorsOf(repository)).toEqual([]);
          if (found.length === ids.length) await expectContents(repository);
        },
        otherPassword,
      );
    await killAtEach(prepare, async (args, moment) => {
      const [, , vault = ""] = args;
      // The oldest came first.
      await inCopy(vault, (found) => expect(found, `at ${moment}`).toEqual(ids.slice(ids.length - found.length)));
      await copyAll(vault, false);
      await inCopy(vault, (found) => expect(found, `at ${moment}`).toEqual(ids));
    });
  });
});
