/** mark: names a moment of a service in the vault, or takes such a name back. */
import { audited } from "../core/audit/audited.ts";
import { withComponents } from "../core/components/component-access.ts";
import { findService } from "../core/declaration/find-service.ts";
import { readTarget } from "../core/points/log-target.ts";
import { findMarks, unknownMark } from "../core/points/named-moment.ts";
import { placeMarkers } from "../core/logs/place-markers.ts";
import { frozenError } from "../core/quiesce/stand-still.ts";
import type { FreezeEvent } from "../core/quiesce/stillness.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { parseAt } from "../core/time/at-expression.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { shortId } from "../model/identifiers.ts";
import type { Mark } from "../model/mark.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";

export type MarkRequest = {
  readonly service: string;
  readonly name: string;
  /** As typed; null for now. */
  readonly at: string | null;
  readonly by: string;
  /** Place a marker in each component's log too, while the service is held as it declares. */
  readonly aligned?: {
    readonly signal: AbortSignal;
    /** What became of the hold. */
    readonly tell: (event: FreezeEvent) => void;
  };
};

/** @throws RefloatError service.unknown */
export const listMarks = async (bench: Workbench, service: string): Promise<readonly Mark[]> => {
  const { name } = findService(await bench.declaration(), service);
  return (await bench.vault()).marks.list(name);
};

const longestName = 100;

/** A name must be read back as a mark's by `--at "before NAME"`. @throws RefloatError mark.unfit */
const requireFit = (name: string, bench: Workbench): void => {
  const unfit = (why: string): RefloatError =>
    new RefloatError("mark.unfit", `a mark cannot be named "${name}": ${why}`, {
      state: "nothing was marked",
      hint: 'a name says what is about to be done: "upgrade 2.5.0", "migration 42"',
    });
  if (name.length > longestName) throw unfit(`it has more than ${longestName} characters`);
  if (/\p{Cc}|\p{Bidi_Control}/u.test(name)) throw unfit("it has characters that cannot be printed");
  if (readTarget(bench.registry, name) !== null) throw unfit("it would be read as a place in a log");
  const read = parseAt(`before ${name}`, bench.clock.now(), bench.host.timeZone);
  if (read.kind === "before-run") throw unfit("it would be read as a run");
  if (read.kind !== "before-mark") throw unfit("it would be read as a time");
  if (read.name !== name || /^the /i.test(name)) throw unfit("it begins or ends with what is not part of a name");
};

const instantOf = (text: string | null, { clock, host }: Workbench): string => {
  const now = clock.now();
  if (text === null) return now.toISOString();
  const at = parseAt(text, now, host.timeZone);
  if (at.kind === "instant") return at.instant;
  throw new RefloatError("time.unclear", `--at "${text}" is no time`, {
    state: "nothing was marked",
    hint: 'the moment that is named: "10 minutes ago", 14:05, 2026-11-20T14:05:00Z',
  });
};

/** @throws RefloatError service.unknown, mark.unfit, time.unclear, vault.* */
export const markMoment = async (bench: Workbench, request: MarkRequest): Promise<Mark> => {
  const declared = findService(await bench.declaration(), request.service);
  const { name: service } = declared;
  const name = request.name.trim().replaceAll(/\s+/g, " ");
  requireFit(name, bench);
  const { marks } = await bench.vault();
  if (request.aligned !== undefined) return markLogs(bench, declared, { ...request, name, aligned: request.aligned });
  const at = instantOf(request.at, bench);
  return audited(
    bench.audit,
    { action: "mark", service, detail: { name, at } },
    () => marks.add({ service, name, at, by: request.by }),
    ({ id }) => ({ detail: { mark: id } }),
  );
};

/** The moment is the one before the first marker: a point that was read by then is before all of them. */
const markLogs = async (
  bench: Workbench,
  service: ServiceDeclaration,
  { name, by, aligned: { signal, tell } }: MarkRequest & { readonly aligned: NonNullable<MarkRequest["aligned"]> },
): Promise<Mark> => {
  const { marks } = await bench.vault();
  const marker = `refloat/mark/${service.name}`;
  return audited(
    bench.audit,
    { action: "mark", service: service.name, detail: { name, aligned: true } },
    () =>
      withComponents(bench, { service, locate: () => null, marker, signal }, async (access) => {
        const { at, aligned, stuck } = await placeMarkers(bench, { service, access, signal, tell });
        const adding = marks.add({ service: service.name, name, at, by, aligned });
        if (stuck === null) return adding;
        const mark = await adding.catch((error: unknown) => {
          const state = `nothing was marked: ${toRefloatError(error).message}`;
          throw frozenError(service.name, stuck, { cause: error, state });
        });
        throw frozenError(service.name, stuck, { state: `mark "${mark.name}" was made` });
      }),
    ({ id, at }) => ({ detail: { mark: id, at } }),
  );
};

/** @param name or the first letters of its id @throws RefloatError mark.unknown, mark.ambiguous */
export const unmarkMoment = async (
  bench: Workbench,
  { service: typed, name, by }: Pick<MarkRequest, "service" | "name" | "by">,
): Promise<Mark> => {
  const { name: service } = findService(await bench.declaration(), typed);
  const { marks } = await bench.vault();
  const all = await marks.list(service);
  const [mark, second] = findMarks(all, name);
  if (mark === undefined) throw unknownMark(all, name, service);
  if (second !== undefined) {
    const shown = findMarks(all, name).map(({ id, at }) => `${shortId(id)} (${at})`);
    throw new RefloatError(
      "mark.ambiguous",
      `${shown.length} marks of ${service} are named "${name}": ${shown.join(", ")}`,
      {
        state: "nothing was removed",
        hint: "name the one by the first letters of its id",
        nextCommand: `refloat mark ${service} --remove ${shortId(mark.id)}`,
      },
    );
  }
  const detail = { mark: mark.id, name: mark.name, at: mark.at };
  return audited(
    bench.audit,
    { action: "unmark", service, detail },
    async () => {
      await marks.remove(mark, by);
      return mark;
    },
    () => ({ detail: {} }),
  );
};
