/**
 * The one folder in which a demo lives: found again by the same user from the same clone, so that `--clean` needs to be told nothing.
 * It is not inside the clone, because PostgreSQL runs as another user than root and must be able to reach its data.
 */
import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endProcessesIn } from "../../examples/shop/stage/processes.ts";

const clone = join(import.meta.dirname, "../..");

export type DemoFolder = {
  readonly path: string;
  readonly declaration: string;
  readonly vault: string;
  readonly passwordFile: string;
  /** Refloat's own state: journal and what runs leave. */
  readonly state: string;
  readonly shop: string;
  readonly customersLog: string;
};

const describe = (path: string): DemoFolder => ({
  path,
  declaration: join(path, "refloat.yaml"),
  vault: join(path, "vault"),
  passwordFile: join(path, "password"),
  state: join(path, "state"),
  shop: join(path, "shop"),
  customersLog: join(path, "customers.jsonl"),
});

export const demoFolder = async (): Promise<DemoFolder> => {
  const user = process.getuid?.() ?? 0;
  const name = createHash("sha256")
    .update(await realpath(clone))
    .digest("hex")
    .slice(0, 8);
  return describe(join(await realpath("/var/tmp"), `refloat-demo-${user}-${name}`));
};

/** /var/tmp belongs to everybody: a folder or link that another user put there is not ours to fill or to remove. */
const isOurs = async (path: string): Promise<boolean> => {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (found === null) return false;
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`${path} is there and is not this user's folder; move it away`);
  }
  return true;
};

/** Number and start of a process: together they are never another's. Null when there is none of that number. */
const identify = async (pid: number | "self"): Promise<string | null> => {
  const line = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (line === null) return null;
  // The second field is the program's name in parentheses, which may hold spaces; the start is the 22nd.
  const afterName = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return `${Number.parseInt(line, 10)} ${afterName[19]}`;
};

/** @returns the number of another process that plays a demo in the folder now */
const readOwner = async (folder: DemoFolder): Promise<number | null> => {
  const owner = await readFile(join(folder.path, "demo.pid"), "utf8").catch(() => "");
  const pid = Number.parseInt(owner, 10);
  return Number.isNaN(pid) || pid === process.pid || (await identify(pid)) !== owner ? null : pid;
};

/** Ends what a demo of this clone left running and removes its folder. @returns whether there was anything */
export const cleanDemo = async (folder: DemoFolder): Promise<boolean> => {
  if (!(await isOurs(folder.path))) return false;
  const owner = await readOwner(folder);
  if (owner !== null)
    throw new Error(`a demo of this clone is running (process ${owner}); let it finish, or end it first`);
  await endProcessesIn(folder.path);
  await rm(folder.path, { recursive: true, force: true });
  return true;
};

/** A fresh folder; whatever an earlier demo left is cleaned first. */
export const openDemoFolder = async (): Promise<DemoFolder> => {
  const folder = await demoFolder();
  await cleanDemo(folder);
  await mkdir(folder.path);
  // Whatever the umask: as root, PostgreSQL's own user must pass. What is private inside has its own mode.
  await chmod(folder.path, 0o755);
  await writeFile(join(folder.path, "demo.pid"), (await identify("self")) ?? "");
  return folder;
};
