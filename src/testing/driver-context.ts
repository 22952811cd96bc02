/** Contexts for drivers under test: real clock, silent log, temporary folders, references bound from a plain record. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { CheckContext } from "../core/ports/driver.ts";
import type { ProvisionContext } from "../core/ports/provision.ts";
import type { TrafficContext } from "../core/ports/traffic.ts";
import type { Bind, BoundText } from "../core/ports/environment.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { removeTree } from "../platform/tree-files.ts";
import { createDirectoryReader } from "./directory-vault.ts";

export type TestFolder = { readonly path: string; readonly remove: () => Promise<void> };

export const createTestFolder = async (name = "refloat-test"): Promise<TestFolder> => {
  const path = await mkdtemp(join(tmpdir(), `${name}-`));
  const remove = () => removeTree(path, new AbortController().signal);
  return {
    path,
    remove: async () =>
      remove().catch(async () => {
        // A locked vault was in it.
        await execa("chattr", ["-R", "-f", "-i", "--", path], { reject: false });
        await remove();
      }),
  };
};

/** Binds `${db.url}` from `{ "db.url": "..." }`; values that begin with `secret!` are secrets without that word. */
export const bindFrom =
  (values: Readonly<Record<string, string>> = {}): Bind =>
  async (text): Promise<BoundText> => {
    let secret = false;
    const value = text.replaceAll(/\$\{([^}]+)\}/g, (whole, reference: string) => {
      const found = values[reference];
      if (found === undefined) throw new Error(`the test binds no ${whole}`);
      if (!found.startsWith("secret!")) return found;
      secret = true;
      return found.slice("secret!".length);
    });
    return { value, secret };
  };

export type TestContextOptions<Options> = {
  readonly options: Options;
  /** Parent of the work and state folders, which must exist. */
  readonly folder: string;
  readonly component?: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** For what is provisioned from a point: its components, and the folder that has what their snapshots have. */
  readonly point?: { readonly folder: string; readonly components: Readonly<Record<string, CapturedComponent>> };
};

const capturedIn =
  ({
    folder,
    components,
  }: NonNullable<TestContextOptions<unknown>["point"]>): NonNullable<ProvisionContext["captured"]> =>
  async (component) => {
    const captured = components[component];
    return captured === undefined ? null : { captured, source: async () => createDirectoryReader(folder) };
  };

export const createTestContext = <Options>(given: TestContextOptions<Options>): ProvisionContext<Options> => ({
  ...(given.point === undefined ? {} : { captured: capturedIn(given.point) }),
  service: "shop",
  component: given.component ?? "app",
  options: given.options,
  bind: bindFrom(given.values),
  clock: systemClock,
  log: silentLog,
  progress: () => undefined,
  signal: given.signal ?? new AbortController().signal,
  workDirectory: given.folder,
  stateDirectory: given.folder,
  marker: "refloat/42/test/1",
});

export const createTestTrafficContext = (values: Readonly<Record<string, string>> = {}): TrafficContext => ({
  service: "shop",
  bind: bindFrom(values),
  clock: systemClock,
  log: silentLog,
  signal: new AbortController().signal,
  marker: "refloat/42/test/1",
});

export const createTestCheckContext = (
  given: Partial<CheckContext> & { readonly values?: Readonly<Record<string, string>> } = {},
): CheckContext => {
  const { values, ...rest } = given;
  return {
    ...createTestTrafficContext(values),
    component: "app",
    declared: null,
    outputs: {},
    timeoutMs: 30_000,
    ...rest,
  };
};
