/** What a reference to a component of another service comes to where both services are provisioned; by real lines, over real folders. */
import { mkdir, rm } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stringify } from "yaml";
import { driverRegistry } from "../../driver-registry.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { silentLog } from "../../platform/log.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { parseDeclaration } from "../declaration/parse-declaration.ts";
import type { ComponentParts } from "../ports/workbench.ts";
import { withComponents } from "./component-access.ts";
import { lookAtComponents } from "./look-at-components.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-foreign");
});
afterEach(() => folder.remove());

const at = (name: string): string => `${folder.path}/${name}`;

const box = (name: string) => ({
  type: "command",
  apply: `mkdir ${at(name)}`,
  inspect: `test -e ${at(name)} && echo done || echo absent`,
  destroy: `rmdir ${at(name)}`,
  outputs: { path: `echo ${at(name)}` },
});

const accounts = { type: "files", path: "${site.path}/accounts" };
const pages = { type: "files", path: "${identity.accounts.path}/pages" };

const declare = (provision: object): ServiceDeclaration => {
  const file = {
    vault: { url: at("vault"), password: "${env:REFLOAT_TEST}" },
    services: {
      identity: { provision: { site: box("theirs") }, components: { accounts } },
      shop: { ...provision, components: { pages } },
    },
  };
  const { declaration, diagnostics } = parseDeclaration(stringify(file), "refloat.yaml", driverRegistry);
  const shop = declaration?.services["shop"];
  if (shop === undefined) throw new Error(diagnostics.map(({ message }) => message).join("; "));
  return shop;
};

const parts = (): ComponentParts =>
  ({
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: {
      work: async () => ({ path: folder.path, remove: async () => undefined }),
      state: async (service: string, component: string) => {
        const path = at(`state/${service}/${component}`);
        await mkdir(path, { recursive: true });
        return path;
      },
    },
  }) as unknown as ComponentParts;

const access = <Result>(service: ServiceDeclaration, act: Parameters<typeof withComponents<Result>>[2]) =>
  withComponents(
    parts(),
    { service, locate: () => null, marker: "refloat/test", signal: new AbortController().signal },
    act,
  );

const pathOf = (service: ServiceDeclaration): Promise<string> =>
  access(service, async ({ bind }) => (await bind(null)("${identity.accounts.path}")).value);

test.each([
  ["an entry of our own has its name", true],
  ["we are provisioned with nothing", false],
])("the other service's own entry is meant where %s", async (_name, hasNamesake) => {
  await mkdir(at("ours"));
  await mkdir(at("theirs"));
  expect(await pathOf(declare(hasNamesake ? { provision: { site: box("ours") } } : {}))).toBe(at("theirs/accounts"));
});

test("an entry of the other service that is not there is none that this plan makes", async () => {
  await mkdir(at("ours"));
  const service = declare({ provision: { site: box("ours") } });
  const look = access(service, (components) =>
    lookAtComponents(components, { service, point: null, needed: ["pages"], run: 1 }),
  );
  await expect(look).rejects.toMatchObject({
    code: "source.unreachable",
    message: "pages cannot be looked at: site is not there, and identity is provisioned with it",
    hint: "a recovery of identity provisions it",
    nextCommand: "refloat plan identity",
  });
  await rm(at("ours"), { recursive: true });
});
