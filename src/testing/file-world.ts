/**
 * A small world made of files: what is live is a symlink, traffic is a file, a process is a file. Each effect is written to a
 * log that is only ever appended to, so that a test can count how often it happened, whoever was killed in between.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export const ofAnotherService = "accounts";

export class FileWorld {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Before the recovery: the old side is live, its application runs, traffic is on it. */
  static create(root: string, components: readonly string[] = ["db", "files"]): FileWorld {
    for (const folder of ["store", "live", "running", "lost"]) mkdirSync(join(root, folder), { recursive: true });
    const world = new FileWorld(root);
    for (const component of components) {
      mkdirSync(join(root, "store", `${component}.old`));
      symlinkSync(`../store/${component}.old`, join(root, "live", component));
    }
    world.write("running/app.old", "");
    world.write("traffic", "old");
    world.write("effects.log", "");
    world.write("begun.log", "");
    return world;
  }

  path(name: string): string {
    return join(this.root, name);
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  write(name: string, content: string): void {
    writeFileSync(`${this.path(name)}.tmp`, content);
    renameSync(`${this.path(name)}.tmp`, this.path(name));
  }

  remove(name: string): void {
    rmSync(this.path(name), { recursive: true, force: true });
  }

  linkOf(component: string): string {
    return readlinkSync(this.path(`live/${component}`));
  }

  relink(component: string, target: string): void {
    const next = `${component}.next`;
    // A kill of the other switch, at the same time, may have left one.
    this.remove(next);
    symlinkSync(target, this.path(next));
    renameSync(this.path(next), this.path(`live/${component}`));
  }

  log(effect: string): void {
    appendFileSync(this.path("effects.log"), `${effect}\n`);
  }

  /** Before an effect: a kill between the effect and its line in the log leaves at least this. */
  begin(step: string): void {
    appendFileSync(this.path("begun.log"), `${step}\n`);
  }

  /** `apply restore:db`, in the order in which it happened. */
  get effects(): readonly string[] {
    return this.#lines("effects.log");
  }

  /** `restore:db`, as often as it was begun. */
  get begun(): readonly string[] {
    return this.#lines("begun.log");
  }

  names(folder: string): readonly string[] {
    return readdirSync(this.path(folder)).toSorted();
  }

  /** The machine was restarted: files stay, processes do not. */
  reboot(): void {
    for (const name of this.names("running")) this.remove(`running/${name}`);
  }

  /** What users meet: which side serves, or that none does. A database of another service is not among what they meet. */
  get serving(): "old" | "new" | "none" | "mixed" {
    const traffic = this.read("traffic");
    if (traffic === "held") return "none";
    const sides = new Set([
      traffic,
      ...this.names("live")
        .filter((name) => name !== ofAnotherService)
        .map((name) => (this.linkOf(name).endsWith(".old") ? "old" : "new")),
    ]);
    if (!this.has(`running/app.${traffic}`)) return "none";
    return sides.size === 1 ? (traffic as "old" | "new") : "mixed";
  }

  #lines(name: string): readonly string[] {
    return this.read(name).split("\n").slice(0, -1);
  }
}
