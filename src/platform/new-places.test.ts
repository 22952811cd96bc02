import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RefloatError } from "../model/refloat-error.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { clearImmutable, setImmutable } from "../vault/repository/stores/immutable-flag.ts";
import { newPlaces } from "./new-places.ts";

let folder: TestFolder;

beforeEach(async () => {
  folder = await createTestFolder("refloat-places");
});

afterEach(async () => {
  await folder.remove();
});

const targetOf = (name: string): string => join(folder.path, name);

const refusal = async (act: Promise<unknown>): Promise<RefloatError> => {
  const error = await act.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RefloatError) return error;
  throw new Error("it did not fail as it should");
};

/** A process that begins to make the target, and is killed when it has written something secret. */
const killedWhileMaking = async (target: string, how: "SIGKILL" | "waits") => {
  const module = new URL("new-places.ts", import.meta.url).href;
  const script = `
    const { newPlaces } = await import(${JSON.stringify(module)});
    const { mkdir, writeFile } = await import("node:fs/promises");
    await newPlaces.make(${JSON.stringify(target)}, async (partial) => {
      await mkdir(partial, { mode: 0o700 });
      await writeFile(partial + "/secret", "hunter2");
      console.log("made");
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  if (how === "SIGKILL") {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  return child;
};

describe("a new place", () => {
  it("that fails is told by the name that was meant, and leaves nothing", async () => {
    const target = targetOf("out");
    const error = await refusal(
      newPlaces.make(target, async (partial) => {
        await mkdir(partial);
        throw new RefloatError("target.failed", `${partial}/a cannot be written: ENOSPC`, {
          context: { path: `${partial}/a`, bytes: 7 },
          state: "what was restored so far is still there",
          hint: `make room for ${partial}`,
          nextCommand: `df ${partial}`,
        });
      }),
    );
    expect(error).toMatchObject({
      code: "target.failed",
      message: `${target}/a cannot be written: ENOSPC`,
      context: { path: `${target}/a`, bytes: 7 },
      state: "nothing was left there",
      hint: `make room for ${target}`,
      nextCommand: `df ${target}`,
    });
    expect(await readdir(folder.path)).toEqual([]);
  });

  it("that cannot be removed again is named, with what to type", async () => {
    const target = targetOf("it's");
    let held = "";
    const error = await refusal(
      newPlaces.make(target, async (partial) => {
        await mkdir(partial);
        held = `${partial}/held`;
        await writeFile(held, "x");
        await setImmutable(held);
        throw new RefloatError("vault.damaged", "a blob is damaged");
      }),
    );
    try {
      const [name = ""] = await readdir(folder.path);
      expect(error.state).toBe(`what was made until then is still at ${targetOf(name)}, and nothing needs it`);
      expect(error.nextCommand).toBe(`rm -rf '${targetOf(name)}'`);
    } finally {
      await clearImmutable(held);
    }
  });

  it("takes away what killed processes have left beside it, and nothing that a living one makes", async () => {
    await killedWhileMaking(targetOf("secrets"), "SIGKILL");
    const [left = ""] = await readdir(folder.path);
    expect(left).toMatch(/^\.secrets\.refloat-partial-/);
    expect(await readFile(join(folder.path, left, "secret"), "utf8")).toBe("hunter2");
    const living = await killedWhileMaking(targetOf("other"), "waits");
    try {
      const strangers = [".mine.refloat-partial-0badc0de", left.replace(/-[0-9a-f]{8}-/, "-ffffffff-")];
      for (const name of strangers) await writeFile(targetOf(name), "");
      await newPlaces.make(targetOf("third"), async (partial) => mkdir(partial));
      const names = await readdir(folder.path);
      expect(names).not.toContain(left);
      expect(names.filter((name) => name.startsWith(".other.refloat-partial-"))).toHaveLength(1);
      expect(names).toEqual(expect.arrayContaining(["third", ...strangers]));
    } finally {
      living.kill("SIGKILL");
      await once(living, "exit");
    }
    await rm(targetOf("third"), { recursive: true });
    await newPlaces.make(targetOf("third"), async (partial) => mkdir(partial));
    expect((await readdir(folder.path)).some((name) => name.startsWith(".other."))).toBe(false);
  });
});
