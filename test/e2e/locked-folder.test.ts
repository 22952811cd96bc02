/** A vault in a folder whose points are locked: what a person sees, what root's mistakes and stock restic cannot do, and how it ends. */
import { mkdir, readdir, unlink, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { password, requireRestic, restic } from "../interop/support/restic.ts";
import { canLock } from "./support/can-lock.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";
import { launcher } from "./support/refloat-program.ts";

requireRestic();

const declaration = (path: string, lock: string): string => `vault:
  url: ${path}/vault
  password: \${file:${path}/password}
services:
  notes:
    lock: ${lock}
    keep: { last: 1 }
    components:
      docs: { type: files, path: ${path}/docs }
  drafts:
    components:
      docs: { type: files, path: ${path}/drafts }
`;

describe.skipIf(!(await canLock()))("a folder with locked points", () => {
  let folder: TestFolder;
  let program: RefloatInside;
  let vault: string;
  const ids: string[] = [];
  const succeed = (...args: readonly string[]) => program.succeed(args);
  const use = async (lock: string) => {
    await program.close();
    await writeFile(`${folder.path}/refloat.yaml`, declaration(folder.path, lock));
    program = refloatInside(folder.path);
  };
  const capture = async (content: string): Promise<string> => {
    await writeFile(`${folder.path}/docs/note`, content.repeat(5000));
    const { lines } = await succeed("capture", "notes", "--json");
    return resultEnvelopeSchema("capture").parse(lines.at(-1)).data.id;
  };
  const locks = async (service = "notes") =>
    resultEnvelopeSchema("vault-locks").parse((await succeed("vault", "locks", service, "--json")).lines.at(-1)).data;
  const prune = async (...args: readonly string[]) =>
    resultEnvelopeSchema("vault-prune").parse(
      (await succeed("vault", "prune", "--yes", "--now", "--json", ...args)).lines.at(-1),
    ).data;
  /** As if the lock of everything in the vault were over. */
  const endLocks = async () => {
    await execa("chattr", ["-R", "-f", "-i", vault]);
    await execa("find", [vault, "-type", "f", "-exec", "touch", "-d", "2001-01-01", "{}", "+"]);
    await execa("find", [vault, "-type", "f", "-not", "-path", "*/locks/*", "-exec", "chattr", "+i", "{}", "+"]);
  };

  beforeAll(async () => {
    folder = await createTestFolder("refloat-locked-folder");
    vault = `${folder.path}/vault`;
    program = refloatInside(folder.path);
    await mkdir(`${folder.path}/docs`);
    await writeFile(`${folder.path}/docs/kept`, "kept in every point ".repeat(5000));
    await writeFile(`${folder.path}/password`, password, { mode: 0o600 });
    await use("1s");
    await succeed("vault", "init");
    ids.push(await capture("first "));
    await use("30d");
    ids.push(await capture("second "));
  });

  afterAll(async () => {
    await program.close();
    await folder.remove();
  });

  it("shows until when, from whom, and what that does not guarantee", async () => {
    const { support, points } = await locks();
    expect(support).toEqual({ locks: true, reason: null, keptBy: "file-system" });
    expect(points.map(({ kept, mode, unlocked, missing }) => [kept, mode, unlocked, missing])).toEqual([
      [true, "governance", 0, 0],
      [true, "governance", 0, 0],
    ]);
    const [second, first] = points;
    expect(Date.parse(first?.until ?? "")).toBeLessThan(Date.now() + 2 * 3_600_000);
    expect(Date.parse(second?.until ?? "")).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    const { stdout } = await succeed("vault", "locks");
    expect(stdout).toContain("all but root");
    expect(stdout).toMatch(/guaranteed +against mistakes, and against anybody without root/);
    expect(stdout).toMatch(/not guaranteed +against root, who can lift it/);
  });

  it("survives rm -rf by root", async () => {
    await execa("rm", ["-rf", `${vault}/data`, `${vault}/snapshots`, `${vault}/keys`, `${vault}/config`], {
      reject: false,
    });
    await program.close();
    await succeed("verify", "--read-data");
    expect((await locks()).points.map(({ kept }) => kept)).toEqual([true, true]);
  });

  it("lets restic's forget and prune take nothing, and restic ends cleanly", async () => {
    await program.close();
    // Old versions try for a quarter of an hour before they give up.
    const forgetting = execa("restic", ["--no-cache", "-r", vault, "forget", ids[1] ?? "", "--prune"], {
      env: { RESTIC_PASSWORD: password },
      reject: false,
    });
    for await (const line of forgetting.iterable({ from: "stderr" }))
      if (line.includes("operation not permitted")) forgetting.kill("SIGINT");
    expect((await forgetting).exitCode).not.toBe(0);
    expect(await readdir(`${vault}/locks`)).toEqual([]);
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    await succeed("verify", "--read-data");
    expect((await locks()).points.map(({ kept }) => kept)).toEqual([true, true]);
  });

  it("says when a flag was lifted, and ends with 4", async () => {
    await execa("chattr", ["-i", `${vault}/snapshots/${ids[1] ?? ""}`]);
    const told = await program.run(["vault", "locks"]);
    expect(told.exit).toBe(4);
    expect(told.stdout).toContain("1 file without a lock");
    await execa("chattr", ["+i", `${vault}/snapshots/${ids[1] ?? ""}`]);
    expect((await program.run(["vault", "locks"])).exit).toBe(0);
  });

  it("locks marks and incidents as long, and takes both back all the same", async () => {
    const { lines } = await succeed("mark", "notes", "upgrade 2.5.0", "--json");
    const { added } = resultEnvelopeSchema("mark").parse(lines.at(-1)).data;
    const opened = await succeed("incident", "open", "notes", "--since", "upgrade 2.5.0", "--json");
    const { done } = resultEnvelopeSchema("incident").parse(opened.lines.at(-1)).data;
    for (const id of [added?.id, done?.incident.id])
      await expect(unlink(`${vault}/snapshots/${id ?? ""}`)).rejects.toMatchObject({ code: "EPERM" });
    await succeed("mark", "notes", "--remove", "upgrade 2.5.0");
    await succeed("incident", "close", "notes");
    expect((await succeed("mark", "notes")).stdout).toContain("notes has no marks");
    expect((await succeed("points", "notes")).stdout).not.toContain("suspect");
  });

  it("does not take a point for unlocked since another service has captured without a lock", async () => {
    await mkdir(`${folder.path}/drafts`);
    await writeFile(`${folder.path}/drafts/one`, "of no interest ".repeat(5000));
    const indexes = await readdir(`${vault}/index`);
    await succeed("capture", "drafts");
    expect((await readdir(`${vault}/index`)).length).toBeGreaterThan(indexes.length);
    expect((await locks()).points.map(({ kept, unlocked }) => [kept, unlocked])).toEqual([
      [true, 0],
      [true, 0],
    ]);
    const [draft] = (await locks("drafts")).points;
    expect(draft?.until).toBeNull();
    expect(draft?.unlocked).toBeGreaterThan(1);
  });

  it("keeps a point as long as the store does, whatever was declared; then lets it go", async () => {
    await program.close();
    await endLocks();
    // Longer than was declared, by the administrator's own hand.
    const manifest = `${vault}/snapshots/${ids[0] ?? ""}`;
    await execa("chattr", ["-i", manifest]);
    await execa("touch", ["-d", "2099-01-01T00:00:00Z", manifest]);
    await execa("chattr", ["+i", manifest]);
    const held = await prune("notes");
    expect(held.services[0]?.points.at(-1)).toMatchObject({
      point: ids[0],
      verdict: "keep",
      reasons: [{ kind: "locked", until: "2099-01-01T00:00:00.000Z" }],
    });
    await endLocks();
    const { result } = await prune("notes");
    expect(result).toMatchObject({ expired: [ids[0]], refused: [] });
    expect((await prune("notes")).result?.report).toMatchObject({ refused: [], waitingBytes: 0 });
    await program.close();
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
  });

  it("says at a capture that nothing can be locked from here, and why", async () => {
    await program.close();
    const args = ["--bounding-set", "-linux_immutable", process.execPath, launcher];
    const { stdout, exitCode } = await execa(
      "setpriv",
      [...args, "--config", `${folder.path}/refloat.yaml`, "--state", `${folder.path}/state`, "capture", "notes"],
      { reject: false },
    );
    expect(exitCode).toBe(0);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(
      "WARNING lock: is declared, and the point will not be locked: only root may make files of a folder immutable, and this is not root",
    );
    expect((await program.run(["vault", "locks"])).exit).toBe(4);
  });
});
