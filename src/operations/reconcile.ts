/**
 * reconcile: what was written to the old side between the point and the cutover, and what the recovered side does not have: found by key, shown, and put into it
 * batch by batch. Only rows; what an application did beside them (a mail, a payment) is not repeated.
 */
import { withComponents } from "../core/components/component-access.ts";
import { findService } from "../core/declaration/find-service.ts";
import { openComponent } from "../core/granular/open-place.ts";
import { pointSource } from "../core/granular/point-source.ts";
import type { DriverContext } from "../core/ports/driver.ts";
import type { KeptSideSource, RowMending } from "../core/ports/row-mending.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { keptSides } from "../core/run/kept-sides.ts";
import { exportedRows } from "../core/run/lost-writes.ts";
import { type SideOrigin, sideOrigin } from "../core/run/side-origin.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { MendedRows, MendProposal } from "../model/mend.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export type ReconcileRequest = {
  readonly run: RunNumber;
  /** Components, or tables of one: `db`, `db:orders`; null for all. */
  readonly only: readonly { readonly component: string; readonly table: string | null }[] | null;
  readonly rows: readonly MendedRows[];
  readonly fireTriggers: boolean;
};

export type Reconciliation = {
  readonly service: string;
  readonly run: RunNumber;
  /** One for each component whose rows can be compared; of a server one for each of its databases. */
  readonly batches: readonly { readonly component: string; readonly proposal: MendProposal }[];
  /** What is kept and cannot be reconciled by rows, and where it stands: for a person. */
  readonly left: readonly { readonly component: string; readonly side: string; readonly why: string }[];
};

/** Compares; changes nothing. @throws RefloatError run.unknown, run.wrong-state, component.unknown, source.* */
export const proposeReconciliation = async (
  bench: Workbench,
  { run, only, ...wish }: ReconcileRequest,
  signal: AbortSignal,
): Promise<Reconciliation> => {
  const journal = await bench.journal();
  const { record, plan } = await journal.readRun(run);
  const sides = keptOf(record, plan);
  const service = findService(await bench.declaration(), record.service);
  const unknown = only?.find(({ component }) => !sides.some((side) => side.component === component));
  if (unknown !== undefined) {
    throw new RefloatError("component.unknown", `run ${run} has put no old side of "${unknown.component}" away`, {
      hint: `it keeps ${sides.map(({ component }) => component).join(", ")}`,
      nextCommand: `refloat runs ${run}`,
    });
  }
  const options = { service, locate: () => null, marker: `refloat/${run}/reconcile`, signal };
  const leftTo = `${await bench.directories.run(run)}/left`;
  return withComponents(bench, options, async (access) => {
    const batches: Reconciliation["batches"][number][] = [];
    const left: Reconciliation["left"][number][] = [];
    for (const { component, name: side } of sides) {
      const asked = only?.filter((one) => one.component === component);
      if (asked?.length === 0) continue;
      const { mending } = access.driver(component);
      const { point } = plan.intent;
      const since = point?.components[component]?.facts.position;
      if (mending === undefined || mending.ofPointsAlone === true || point == null || since === undefined) {
        left.push({ component, side, why: "not made of rows that can be compared" });
        continue;
      }
      const origin = await sideOrigin(journal, { record, plan }, component);
      if (origin?.position === null) {
        left.push({ component, side, why: restoredBefore(origin) });
        continue;
      }
      const tables = asked?.flatMap(({ table }) => table?.replace(/^public\./, "") ?? []) ?? [];
      const source = {
        side,
        since,
        madeAt: origin?.position ?? null,
        point: async () => {
          const { id } = origin?.point ?? point;
          return pointSource(await openComponent(bench, await (await bench.vault()).points.read(id), component));
        },
        words: `the old side of run ${run} (${side})`,
        leftTo: `${leftTo}/${component}`,
      };
      const context = await access.context(component);
      const files = exportedRows(record, component);
      const named = tables.length === 0 ? null : tables;
      const parts = await partsOf(mending, context, source, named);
      left.push(...parts.left.map((why) => ({ component, side, why })));
      for (const names of parts.batches) {
        const request = { ...wish, tables: names, columns: null, where: null, again: `refloat reconcile ${run}` };
        const proposal = await mending.propose(context, source, request);
        batches.push({ component, proposal: { ...proposal, leftOut: withExports(proposal, files) } });
      }
    }
    return { service: service.name, run, batches, left };
  });
};

const restoredBefore = ({ run, point }: SideOrigin): string =>
  `run ${run} had restored it from an older point (${point.consistentAt}), and where it stood then is not known: what it has from there cannot be told from what came after`;

/** Rows that have a key were written down at the cutover, where the technology does that. */
const withExports = ({ leftOut }: MendProposal, files: ReadonlyMap<string, string>): MendProposal["leftOut"] =>
  leftOut.map((one) => ({ ...one, file: one.file ?? files.get(one.table) ?? null }));

type Parts = { readonly batches: readonly (readonly string[] | null)[]; readonly left: readonly string[] };

/** What cannot be told of one side keeps nobody from the others, unless it was asked for by name. */
const partsOf = async (
  mending: RowMending,
  context: DriverContext,
  source: KeptSideSource,
  named: readonly string[] | null,
): Promise<Parts> => {
  try {
    return (await mending.batches?.(context, source, named)) ?? { batches: [named], left: [] };
  } catch (error) {
    if (named !== null || !(error instanceof RefloatError) || error.code !== "source.unsupported") throw error;
    return { batches: [], left: [error.message] };
  }
};

const keptOf = (record: RunRecord, plan: Plan): ReturnType<typeof keptSides> => {
  const sides = keptSides(record);
  if (plan.intent.purpose === "recover" && record.state === "succeeded" && sides.length > 0) return sides;
  const why =
    plan.intent.purpose !== "recover"
      ? "is no recovery"
      : record.state === "committed"
        ? "was committed: its old side is dropped"
        : `is ${record.state}`;
  throw new RefloatError("run.wrong-state", `run ${record.number} ${why}, so there is nothing to reconcile`, {
    state: "nothing was changed",
    ...(record.state === "committed" ? { hint: "what was saved before the cutover is named in its report" } : {}),
    nextCommand: `refloat runs ${record.number}`,
  });
};
