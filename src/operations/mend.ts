/** mend: rows or keys of a recovery point back into what is live, as a script that was shown, in one transaction; and the way back. */
import { audited } from "../core/audit/audited.ts";
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { findStopped, startAgainWords } from "../core/components/stopped-server.ts";
import { findService, requireComponents } from "../core/declaration/find-service.ts";
import { nearestWord } from "../core/declaration/nearest-word.ts";
import { momentSource } from "../core/granular/moment-source.ts";
import type { CapturedTable, ComponentDriver } from "../core/ports/driver.ts";
import type { Excerpts } from "../core/ports/excerpts.ts";
import type { MendRequest, PointSource, RowMending } from "../core/ports/row-mending.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { sideChangedSince } from "../core/run/side-changed-since.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { type MendDirection, type MendProposal, rowsPutBack } from "../model/mend.ts";
import { RefloatError, type RefloatErrorOptions } from "../model/refloat-error.ts";

export type ProposeMendRequest = Omit<MendRequest, "tables" | "again"> & {
  readonly service: string;
  readonly component: string;
  /** As typed; at least one. */
  readonly tables: readonly string[];
  /** As typed; null for the newest point. */
  readonly at: string | null;
  /** The command that compares the same anew. @param at the point or moment: by then another one may be the newest */
  readonly again: (at: string) => string;
};

export type Mend = { readonly service: string; readonly component: string; readonly proposal: MendProposal };

const marker = (service: string): string => `refloat/mend/${service}`;

const mendingOf = (access: ComponentAccess, component: string): RowMending => {
  const { mending, type }: ComponentDriver = access.driver(component);
  if (mending !== undefined) return mending;
  throw new RefloatError("source.unsupported", `${component} is ${type}, and no single rows of that are put back`, {
    state: "nothing was changed",
    hint: "one file or table of it comes out of a point by refloat extract; all of it comes back by refloat recover",
  });
};

/** A table of a database of a server, as `extract` names it: `bench/orders`. */
const tableOfServer = (name: string, { kindOf, databases }: Excerpts, { captured, words }: PointSource): string => {
  if (kindOf(name) === "table") return name;
  const known = databases(captured);
  throw new RefloatError("usage", `"${name}" names no table of a database in ${words}`, {
    state: "nothing was changed",
    hint: `write DATABASE/TABLE: ${known[0] ?? "shop"}/orders; it has the databases ${known.join(", ")}`,
  });
};

const tableOf = (name: string, tables: readonly CapturedTable[], point: RecoveryPoint): CapturedTable => {
  const found = tables.find((table) => table.name === name || table.aliases.includes(name));
  if (found !== undefined && found.hasRows) return found;
  const near = nearestWord(
    name,
    tables.map((table) => table.name),
  );
  throw new RefloatError("usage", `point ${shortId(point.id)} has no rows of a table "${name}"`, {
    state: "nothing was changed",
    ...(near === undefined ? {} : { hint: `did you mean "${near}"?` }),
    nextCommand: `refloat browse ${shortId(point.id)}`,
  });
};

const withAdvice = (error: RefloatError, advice: Pick<RefloatErrorOptions, "hint" | "nextCommand">): RefloatError =>
  new RefloatError(error.code, error.message, {
    cause: error.cause,
    context: error.context,
    ...(error.state === undefined ? {} : { state: error.state }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.nextCommand === undefined ? {} : { nextCommand: error.nextCommand }),
    ...advice,
  });

/** A table that is not made again comes back beside the live database, as a whole. @param what of the recovery: `shop --only db --at 7f3a91c2` */
const withWayAround = (error: unknown, what: string): unknown =>
  error instanceof RefloatError && "dropped" in error.context && error.nextCommand === undefined
    ? withAdvice(error, { nextCommand: `refloat recover ${what} --no-cutover` })
    : error;

/** @param again the command that compares anew, which is all that is left to do */
const withComparison = (error: unknown, again: string | undefined): unknown =>
  error instanceof RefloatError &&
  error.code === "rows.changed" &&
  error.nextCommand === undefined &&
  again !== undefined
    ? withAdvice(error, { nextCommand: again })
    : error;

/** Rows go into a server that runs: one that was killed is started again first. */
const whenStopped = async (error: unknown, access: ComponentAccess, component: string): Promise<unknown> => {
  if (!(error instanceof RefloatError) || error.code !== "source.unreachable") return error;
  const stopped = await findStopped(access.driver(component), await access.context(component));
  if (stopped === null) return error;
  const { start } = stopped;
  return withAdvice(error, { hint: startAgainWords(stopped), ...(start === null ? {} : { nextCommand: start }) });
};

/**
 * Compares tables of a point with the live ones; changes nothing.
 * @throws RefloatError service.unknown, component.unknown, point.*, source.*, usage
 */
export const proposeMend = async (
  bench: Workbench,
  { service: typed, component, tables: names, at, again: againAt, ...wish }: ProposeMendRequest,
  signal: AbortSignal,
): Promise<Mend> => {
  const service = findService(await bench.declaration(), typed);
  requireComponents(service, [component]);
  const { point, source } = await momentSource(bench, service.name, component, at);
  const again = againAt(source.replay === null || at === null ? shortId(point.id) : at);
  const options = { service, locate: () => null, marker: marker(service.name), signal };
  return withComponents(bench, options, async (access) => {
    const mending = mendingOf(access, component);
    const { excerpts, keys } = access.driver(component);
    const named = (name: string): string => {
      // Names of keys are bytes and patterns: the driver reads them.
      if (keys !== undefined) return name;
      return excerpts === undefined ? tableOf(name, source.tables, point).name : tableOfServer(name, excerpts, source);
    };
    const tables = names.map(named);
    const proposal = await mending
      .propose(await access.context(component), source, { ...wish, again, tables })
      .catch(async (error: unknown) => {
        const told = await whenStopped(error, access, component);
        const compared = withComparison(told, again);
        throw withWayAround(compared, `${service.name} --only ${component} --at ${shortId(point.id)}`);
      });
    return { service: service.name, component, proposal };
  });
};

/**
 * What stands behind the name now may have by itself what was put into the side that the rows were compared with: an old side that an undo has brought back has
 * its customers' rows, and taking a reconcile back there would delete them.
 * @throws RefloatError rows.changed
 */
const refuseOnOtherSide = async (
  bench: Workbench,
  { service, component, proposal }: Mend,
  direction: MendDirection,
): Promise<void> => {
  const runs = await (await bench.journal()).listRuns(service);
  const run = sideChangedSince(runs, component, proposal.writtenAt);
  if (run === null) return;
  const act = run.purpose === "undo" ? "put another side back behind" : "switched";
  throw new RefloatError(
    "rows.changed",
    `run ${run.number} has ${act} ${component} since the rows were compared (${proposal.writtenAt}): what is live is another side`,
    {
      state: "nothing was changed",
      hint:
        direction === "undo"
          ? "what was put back stands in the side that was live then; the one that is live now may have the same rows by itself, and they would be removed"
          : "compare again, with the side that is live now",
      nextCommand: `refloat runs ${run.number}`,
    },
  );
};

/**
 * What was proposed for a service under this digest, to be done or taken back.
 * @throws RefloatError service.unknown, mend.unknown; rows.changed when another side is live since
 */
export const readProposal = async (
  bench: Workbench,
  request: { readonly service: string; readonly digest: string; readonly direction: MendDirection },
  signal: AbortSignal,
): Promise<Mend> => {
  const service = findService(await bench.declaration(), request.service);
  const mend = await withMending(bench, service, signal, async (access, component) => {
    const proposal = await mendingOf(access, component).read(await access.context(component), request.digest);
    return proposal === null ? null : { service: service.name, component, proposal };
  });
  if (mend === null)
    throw new RefloatError("mend.unknown", `nothing was proposed for ${service.name} under ${request.digest}`, {
      hint: "proposals are kept on the machine that compared",
      nextCommand: "refloat mend --help",
    });
  await refuseOnOtherSide(bench, mend, request.direction);
  return mend;
};

/** The component that has an answer. @throws RefloatError usage when two have */
const withMending = async <Found>(
  bench: Workbench,
  service: ServiceDeclaration,
  signal: AbortSignal,
  ask: (access: ComponentAccess, component: string) => Promise<Found | null>,
): Promise<Found | null> =>
  withComponents(bench, { service, locate: () => null, marker: marker(service.name), signal }, async (access) => {
    const all: Found[] = [];
    for (const component of Object.keys(service.components)) {
      if (access.driver(component).mending === undefined) continue;
      const found = await ask(access, component);
      if (found !== null) all.push(found);
    }
    const [found = null, other] = all;
    if (other === undefined) return found;
    throw new RefloatError("usage", `proposals of two components of ${service.name} begin so`, {
      hint: "give more characters of the digest",
    });
  });

/** All of it or nothing. @throws RefloatError rows.changed, source.denied, target.failed */
export const applyMend = async (
  bench: Workbench,
  mend: Mend,
  direction: MendDirection,
  signal: AbortSignal,
): Promise<void> => {
  const { service: name, component, proposal } = mend;
  const service = findService(await bench.declaration(), name);
  const detail = {
    component,
    digest: proposal.digest,
    source: proposal.source,
    direction,
    tables: proposal.tables.map((table) => table.name),
    rows: rowsPutBack(proposal),
  };
  await audited(
    bench.audit,
    { action: "mend", service: name, detail },
    async () => {
      // Between a comparison and its yes there may be an hour.
      await refuseOnOtherSide(bench, mend, direction);
      await withComponents(bench, { service, locate: () => null, marker: marker(name), signal }, async (access) =>
        mendingOf(access, component)
          .apply(await access.context(component), proposal, direction)
          .catch((error: unknown) => {
            throw withComparison(error, proposal.again);
          }),
      );
    },
    () => ({ detail: {} }),
  );
};
