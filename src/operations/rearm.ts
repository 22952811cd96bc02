/** rearm: what a recovery has disarmed acts again, by what was shown, item by item, and never as a part of the recovery. */
import { audited } from "../core/audit/audited.ts";
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { findService, requireComponents } from "../core/declaration/find-service.ts";
import { suggestWord } from "../core/declaration/nearest-word.ts";
import { digestOf } from "../core/planner/plan-digest.ts";
import type { Arming, ArmRequest } from "../core/ports/arming.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { canBeUndone, otherSideOf, servingRun } from "../core/run/serving-run.ts";
import { isLive } from "../core/run/legal-transitions.ts";
import { formatList } from "../core/text/quantity.ts";
import type { ArmingAct, ArmingPlan, DisarmedItem } from "../model/arming.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { type RunNumber, shortId } from "../model/identifiers.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export type RearmRequest = {
  /** A service, or the run that has disarmed. */
  readonly of: { readonly service: string } | { readonly run: RunNumber };
  /** `db` or `db:archive`; null for all. */
  readonly only: readonly { readonly component: string; readonly item: string | null }[] | null;
  readonly act: ArmingAct;
  /** Where the one component that archives by itself is to archive. */
  readonly archiveCommand: string | null;
  /** Although the recovery can still be undone. */
  readonly beforeCommit: boolean;
};

type Rearming = {
  readonly plan: ArmingPlan;
  readonly requests: readonly { readonly component: string; readonly request: ArmRequest }[];
};

const marker = (service: string): string => `refloat/rearm/${service}`;

const serviceOf = async (
  bench: Workbench,
  of: RearmRequest["of"],
): Promise<{ readonly service: ServiceDeclaration; readonly run: RunRecord | null }> => {
  const run = "run" in of ? (await (await bench.journal()).readRun(of.run)).record : null;
  const name = run?.service ?? ("service" in of ? of.service : "");
  return { service: findService(await bench.declaration(), name), run };
};

type Off = { readonly component: string; readonly arming: Arming; readonly items: readonly DisarmedItem[] };

const readOff = async (
  access: ComponentAccess,
  service: ServiceDeclaration,
  only: RearmRequest["only"],
): Promise<readonly Off[]> => {
  const off: Off[] = [];
  for (const component of Object.keys(service.components)) {
    if (only !== null && !only.some((one) => one.component === component)) continue;
    const { arming } = access.driver(component);
    if (arming === undefined) continue;
    const items = await arming.disarmed(await access.context(component));
    if (items.length > 0) off.push({ component, arming, items });
  }
  return off;
};

const chosenOf = ({ component, items }: Off, only: RearmRequest["only"]): readonly string[] => {
  const names = items.map(({ name }) => name);
  const own = only?.filter((one) => one.component === component) ?? null;
  if (own === null || own.some(({ item }) => item === null)) return names;
  const chosen = own.flatMap(({ item }) => item ?? []);
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown === undefined) return chosen;
  throw new RefloatError("usage", `nothing called "${unknown}" is off in ${component}`, {
    state: "nothing was changed",
    hint: suggestWord(unknown, names, `there is ${formatList(names, 12)}`),
  });
};

const nothingOff = (service: string, only: RearmRequest["only"]): RefloatError =>
  new RefloatError(
    "usage",
    `nothing is off in ${only === null ? service : only.map(({ component }) => component).join(", ")}`,
    { state: "nothing was changed", nextCommand: "refloat status" },
  );

/** @throws RefloatError run.in-progress, run.wrong-state, arming.refused */
const refuseByRuns = (
  service: string,
  runs: readonly RunRecord[],
  components: readonly string[],
  { of, act, beforeCommit }: RearmRequest,
): void => {
  const live = runs.find(({ state }) => isLive(state));
  if (live !== undefined)
    throw new RefloatError("run.in-progress", `run ${live.number} of ${service} is not finished`, {
      state: "nothing was changed",
      nextCommand: `refloat resume ${live.number}`,
      context: { run: live.number, state: live.state },
    });
  for (const component of components) {
    const run = servingRun(runs, component);
    if ("run" in of && run?.number !== of.run)
      throw new RefloatError(
        "run.wrong-state",
        `${component} is not what run ${of.run} has put there${run === null ? "" : `, but what run ${run.number} has`}`,
        { state: "nothing was changed", nextCommand: `refloat rearm ${service}` },
      );
    if (run === null || act === "leave" || beforeCommit || !canBeUndone(run)) continue;
    throw new RefloatError(
      "arming.refused",
      `run ${run.number} can still be undone, and an undo takes nothing back of what an armed ${component} does: jobs that ran, changes taken from a publisher`,
      {
        state: "nothing was changed",
        hint: "--before-commit arms all the same; --only COMPONENT:ITEM arms what an undo can do without",
        nextCommand: `refloat commit ${run.number}`,
        context: { run: run.number },
      },
    );
  }
};

/**
 * What would be armed. Changes nothing.
 * @throws RefloatError service.unknown, component.unknown, run.*, arming.refused, usage
 */
export const proposeRearm = async (bench: Workbench, request: RearmRequest, signal: AbortSignal): Promise<Rearming> => {
  const { service } = await serviceOf(bench, request.of);
  requireComponents(service, [...new Set(request.only?.map(({ component }) => component))]);
  const runs = await (await bench.journal()).listRuns(service.name);
  const options = { service, locate: () => null, marker: marker(service.name), signal };
  return withComponents(bench, options, async (access) => {
    const off = await readOff(access, service, request.only);
    if (off.length === 0) throw nothingOff(service.name, request.only);
    refuseByRuns(
      service.name,
      runs,
      off.map(({ component }) => component),
      request,
    );
    const components: ArmingPlan["components"] = [];
    const requests: { component: string; request: ArmRequest }[] = [];
    for (const one of off) {
      const { component, arming, items } = one;
      const run = servingRun(runs, component);
      const asked: ArmRequest = {
        items: chosenOf(one, request.only),
        archiveCommand: request.archiveCommand,
        outgoing: run === null ? null : otherSideOf(run, component),
      };
      const proposal =
        request.act === "arm"
          ? await arming.propose(await access.context(component), asked)
          : {
              items: items
                .filter(({ name }) => asked.items.includes(name))
                .map(({ name, was }) => ({ name, was, does: "stays off for good" })),
              stays: [],
              takes: [],
              warnings: [],
            };
      components.push({ component, run: run?.number ?? null, proposal });
      requests.push({ component, request: { ...asked, items: proposal.items.map(({ name }) => name) } });
    }
    refuseTwoArchives(components, request);
    const body = { service: service.name, act: request.act, components };
    // The command itself is shown without its secrets.
    return { plan: { ...body, digest: digestOf({ ...body, archiveCommand: request.archiveCommand }) }, requests };
  });
};

/** One command is of one place. @throws RefloatError usage */
const refuseTwoArchives = (components: ArmingPlan["components"], { archiveCommand }: RearmRequest): void => {
  if (archiveCommand === null) return;
  const archiving = components.filter(({ proposal }) => proposal.items.some(({ name }) => name === "archive"));
  if (archiving.length === 1) return;
  throw new RefloatError(
    "usage",
    archiving.length === 0
      ? "--archive-command was given, and no archive is armed"
      : `--archive-command is of one component, and ${archiving.map(({ component }) => component).join(" and ")} would archive by it`,
    { state: "nothing was changed", hint: "name the component: --only COMPONENT:archive" },
  );
};

export type Rearmed = {
  readonly component: string;
  readonly items: readonly string[];
  /** What was seen when it was done. */
  readonly said: readonly string[];
};

export const outdated = (shown: string, nextCommand: string): RefloatError =>
  new RefloatError("plan.outdated", `plan ${shortId(shown)} is not what would be done now`, {
    state: "nothing was changed",
    hint: "what is off, or what arming it does, is not as it was when that was shown",
    nextCommand,
  });

/**
 * Does what was shown, component by component; each is armed as a whole or not at all.
 * @throws RefloatError plan.outdated, target.failed, and whatever the proposal throws now
 */
export const applyRearm = async (
  bench: Workbench,
  request: RearmRequest,
  shown: Pick<ArmingPlan, "service" | "digest">,
  signal: AbortSignal,
): Promise<readonly Rearmed[]> => {
  const service = findService(await bench.declaration(), shown.service);
  const lease = await (await bench.leases()).acquire(shown.service, "rearm");
  const done: Rearmed[] = [];
  try {
    // Whoever was asked took a while to answer, and a run may have begun or ended meanwhile.
    const { plan, requests } = await proposeRearm(bench, request, signal);
    if (plan.digest !== shown.digest) throw outdated(shown.digest, `refloat rearm ${shown.service}`);
    const options = { service, locate: () => null, marker: marker(shown.service), signal };
    await withComponents(bench, options, async (access) => {
      for (const { component, request } of requests)
        if (request.items.length > 0) done.push(await armOne(bench, access, plan, component, request));
    });
    return done;
  } catch (error) {
    if (done.length === 0 || !(error instanceof RefloatError)) throw error;
    const before = done.map((one) => one.component).join(", ");
    throw new RefloatError(error.code, error.message, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      state: `${before}: done before; ${error.state ?? "this one was not"}`,
    });
  } finally {
    await lease.release();
  }
};

const armOne = async (
  bench: Workbench,
  access: ComponentAccess,
  plan: ArmingPlan,
  component: string,
  request: ArmRequest,
): Promise<Rearmed> => {
  const proposed = plan.components.find((one) => one.component === component);
  const detail = {
    component,
    act: plan.act,
    digest: plan.digest,
    run: proposed?.run ?? null,
    items: proposed?.proposal.items ?? [],
  };
  return audited(
    bench.audit,
    { action: "rearm", service: plan.service, detail },
    async () => {
      const { arming } = access.driver(component);
      const context = await access.context(component);
      if (plan.act === "leave") await arming?.leave(context, request.items);
      const said = plan.act === "leave" ? [] : ((await arming?.arm(context, request)) ?? []);
      return { component, items: request.items, said };
    },
    ({ said }) => ({ detail: { said: [...said] } }),
  );
};
