/** Before all tests: the program as it is published, once, for those that run it as a person does. Its address is what `inject` gives. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { publishProgram } from "../scripts/published-program.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Path of the published `refloat.cjs`. */
    readonly launcher: string;
  }
}

let folder: string;

export const setup = async (project: TestProject): Promise<void> => {
  folder = await mkdtemp(join(tmpdir(), "refloat-program-"));
  // Some tests run it as another user.
  await chmod(folder, 0o755);
  // For the programs that tests start, from source too: what one has compiled the next need not. Not in a folder that is removed at the end, since
  // whoever ends last still writes to it.
  process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache");
  project.provide("launcher", await publishProgram(folder));
};

export const teardown = async (): Promise<void> => {
  await rm(folder, { recursive: true });
};
