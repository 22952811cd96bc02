/** Three programs that keep the same folder: each with a fresh vault when asked, a capture into it, and a restore out of it. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Measured, measureProcess } from "../recovery/measured-process.ts";

export type Contestant = {
  readonly name: "refloat" | "restic" | "borg";
  /** An empty vault, and no caches of an earlier one. Not timed. */
  readonly reset: () => Promise<void>;
  readonly capture: () => Promise<Measured>;
  /** The newest capture. @param target is not there yet @returns also where in it the captured folder lies */
  readonly restore: (target: string) => Promise<Measured & { readonly folder: string }>;
};

export type Places = {
  /** What is captured. */
  readonly source: string;
  /** Where each program may keep its vault and its caches. */
  readonly folder: string;
  readonly password: string;
};

/** That of the other two: restic's "auto" is zstd's default, which is 3 as well. */
const borgCompression = "zstd,3";

const emptied = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
};

const capturedSchema = z.object({
  ok: z.literal(true),
  data: z.object({
    id: z.string(),
    manifest: z.object({ components: z.object({ files: z.object({ snapshot: z.string() }) }) }),
  }),
});

export type RefloatContestant = Contestant & {
  /** Of the newest capture: where its files lie in the vault. */
  readonly snapshot: () => string;
};

/** @param program the built `refloat.cjs` */
export const refloatContestant = (places: Places, program: string): RefloatContestant => {
  const folder = join(places.folder, "refloat");
  const passwordFile = join(places.folder, "refloat-password");
  const environment = { XDG_CACHE_HOME: join(folder, "cache"), NODE_COMPILE_CACHE: join(places.folder, "compiled") };
  const run = (...args: readonly string[]): Promise<Measured> =>
    measureProcess(process.execPath, [program, ...args, "--json", "--state", join(folder, "state")], {
      cwd: folder,
      environment,
    });
  let newest = { point: "", snapshot: "" };
  return {
    name: "refloat",
    reset: async () => {
      emptied(folder);
      writeFileSync(passwordFile, places.password, { mode: 0o600 });
      const declaration = {
        vault: { url: join(folder, "vault"), password: `\${file:${passwordFile}}` },
        services: { site: { components: { files: { type: "files", path: places.source } } } },
      };
      // JSON is YAML.
      writeFileSync(join(folder, "refloat.yaml"), JSON.stringify(declaration));
      await run("vault", "init");
    },
    capture: async () => {
      const measured = await run("capture", "site");
      const { data } = capturedSchema.parse(JSON.parse(measured.stdout.trimEnd().split("\n").at(-1) ?? ""));
      newest = { point: data.id, snapshot: data.manifest.components.files.snapshot };
      return measured;
    },
    restore: async (target) => ({
      ...(await run("extract", `${newest.point}:files`, "--to", target)),
      folder: target,
    }),
    snapshot: () => newest.snapshot,
  };
};

export const resticContestant = (places: Places): Contestant => {
  const folder = join(places.folder, "restic");
  const environment = {
    RESTIC_REPOSITORY: join(folder, "vault"),
    RESTIC_PASSWORD: places.password,
    RESTIC_CACHE_DIR: join(folder, "cache"),
  };
  const run = (...args: readonly string[]): Promise<Measured> =>
    measureProcess("restic", ["--quiet", ...args], { cwd: folder, environment });
  return {
    name: "restic",
    reset: async () => {
      emptied(folder);
      await run("init", "--repository-version", "2");
    },
    capture: () => run("backup", "--compression", "auto", places.source),
    restore: async (target) => ({
      ...(await run("restore", "latest", "--target", target)),
      folder: join(target, places.source),
    }),
  };
};

export const borgContestant = (places: Places): Contestant => {
  const folder = join(places.folder, "borg");
  const vault = join(folder, "vault");
  const environment = { BORG_PASSPHRASE: places.password, BORG_BASE_DIR: join(folder, "base") };
  const run = (cwd: string, ...args: readonly string[]): Promise<Measured> =>
    measureProcess("borg", args, { cwd, environment });
  let captures = 0;
  return {
    name: "borg",
    reset: async () => {
      emptied(folder);
      await run(folder, "init", "--encryption", "repokey", vault);
    },
    capture: () => {
      captures += 1;
      return run(folder, "create", "--compression", borgCompression, `${vault}::capture-${captures}`, places.source);
    },
    restore: async (target) => {
      mkdirSync(target);
      const measured = await run(target, "extract", `${vault}::capture-${captures}`);
      return { ...measured, folder: join(target, places.source) };
    },
  };
};
