/** discover: what a running service rests on and its declaration does not name, proposed as a change of the file. Changes nothing. */
import { withComponents } from "../core/components/component-access.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import { findService } from "../core/declaration/find-service.ts";
import { editDeclaration } from "../core/discover/edit-declaration.ts";
import { type Discovered, type Known, type SeenProcess, proposeAdditions } from "../core/discover/propose-additions.ts";
import type { Outputs } from "../core/ports/driver.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";

export type Discovery = {
  readonly service: string;
  /** Of each component that runs now. */
  readonly processes: readonly Discovered[];
  /** Components that run and do not run now, or of which it cannot be told. */
  readonly away: readonly string[];
  /** As `patch -p0` takes it; empty when nothing is to be added, null when the file has a form that a patch would not fit. */
  readonly patch: string | null;
};

/** @throws RefloatError service.unknown, config.* */
export const discover = async (bench: Workbench, name: string, signal: AbortSignal): Promise<Discovery> => {
  const declaration = await bench.declaration();
  const service = findService(declaration, name);
  const services = Object.values(declaration.services);
  const known: Known[] = [];
  for (const one of services) known.push(...(await knownOf(bench, one, signal)));
  const seen: SeenProcess[] = [];
  const away: string[] = [];
  await withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/discover/${service.name}`, signal },
    async (access) => {
      for (const component of Object.keys(service.components)) {
        const { runtime } = access.driver(component);
        if (runtime === undefined) continue;
        const context = await access.context(component);
        const live = await runtime.live(context).catch(() => null);
        signal.throwIfAborted();
        if (live === null || live.pid === null) {
          away.push(component);
          continue;
        }
        const release = (await runtime.liveRelease(context).catch(() => null))?.path ?? null;
        const tree = await bench.discovery.observe(live.pid, signal);
        seen.push({ component, release, tree });
      }
    },
  );
  const processes = proposeAdditions({ service, known, processes: seen });
  return { service: service.name, processes, away, patch: await patchOf(bench, service.name, processes, signal) };
};

const patchOf = async (
  { discovery }: Workbench,
  service: string,
  processes: readonly Discovered[],
  signal: AbortSignal,
): Promise<string | null> => {
  const additions = processes.flatMap((one) => one.additions);
  const file = await discovery.file();
  if (additions.length === 0) return "";
  const after = file === null ? null : editDeclaration(file.text, service, additions);
  return file === null || after === null ? null : discovery.patch(file.path, after, signal);
};

/** What can be told without reaching anything: a component that does not answer has its address all the same. */
const knownOf = (bench: Workbench, service: ServiceDeclaration, signal: AbortSignal): Promise<readonly Known[]> =>
  withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/discover/${service.name}`, signal },
    async (access) => {
      const known: Known[] = [];
      for (const component of Object.keys(service.components)) {
        const outputs = await stableOutputs(access, component);
        signal.throwIfAborted();
        known.push({ service: service.name, component, path: pathOf(outputs), endpoint: endpointOf(outputs) });
      }
      return known;
    },
  );

const stableOutputs = async (access: ComponentAccess, component: string): Promise<Outputs> => {
  try {
    return await access.outputs(component);
  } catch {
    return {};
  }
};

const pathOf = (outputs: Outputs): string | null => {
  const path = outputs["path"]?.value ?? "";
  return path.startsWith("/") ? path : null;
};

const endpointOf = (outputs: Outputs): Known["endpoint"] => {
  const [, addressHost, addressPort] = /^(.*):(\d+)$/.exec(outputs["address"]?.value ?? "") ?? [];
  const host = outputs["host"]?.value ?? addressHost ?? "127.0.0.1";
  const port = Number(outputs["port"]?.value ?? addressPort);
  return Number.isInteger(port) && port > 0 ? { host, port } : null;
};
