/**
 * What the received logs of a service tell of its largest transactions and of those that changed definitions: where to look for the one that did the
 * harm, and the words that `--at` takes to go to just before it.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import { type ComponentAccess, withComponents } from "../components/component-access.ts";
import type { LogChange, LogChanges } from "../ports/logs.ts";
import type { Workbench } from "../ports/workbench.ts";
import { formatList } from "../text/quantity.ts";

/** Of a component, ISO; `at` by its clock. */
export type TimelineChange = {
  readonly component: string;
  readonly at: string;
  readonly what: string;
  /** For `--at`, to just before it: `before xid 1234`. */
  readonly words: string;
};

/** Of each component: the largest, and the newest of those that are notable. */
const mostLarge = 12;
const mostNotable = 60;

/** With the line of the log that it stands on. */
type PlacedChange = LogChange & { readonly line: string };

type Selected = { readonly large: readonly PlacedChange[]; readonly notable: readonly PlacedChange[] };

class Selection {
  #large: PlacedChange[] = [];
  #notable: PlacedChange[] = [];

  add(change: PlacedChange): void {
    if (change.isNotable) {
      this.#notable.push(change);
      if (this.#notable.length > 2 * mostNotable) this.#notable = this.#notable.slice(-mostNotable);
      return;
    }
    this.#large.push(change);
    if (this.#large.length > 2 * mostLarge) this.#large = largest(this.#large);
  }

  end(): Selected {
    return { large: largest(this.#large), notable: this.#notable.slice(-mostNotable) };
  }
}

const largest = (changes: readonly PlacedChange[]): PlacedChange[] =>
  changes.toSorted((a, b) => b.weight - a.weight).slice(0, mostLarge);

export type ChangesRequest = {
  readonly service: ServiceDeclaration;
  /** ISO. */
  readonly since: string;
  readonly signal: AbortSignal;
};

/** Oldest first. @throws RefloatError vault.*, log.gap */
export const readLogChanges = async (
  bench: Workbench,
  { service, since, signal }: ChangesRequest,
): Promise<readonly TimelineChange[]> => {
  const { logs } = await bench.vault();
  const held = await logs.spans(service.name);
  const spans = held.filter(
    ({ component, toAt }) => Object.hasOwn(service.components, component) && Date.parse(toAt) >= Date.parse(since),
  );
  const components = [...Map.groupBy(spans, ({ component }) => component)];
  const changes = await withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/timeline/${service.name}`, signal },
    async (access) => {
      const told: TimelineChange[] = [];
      for (const [component, own] of components)
        told.push(
          ...(await ofComponent(bench, access, {
            component,
            spans: own,
            since,
            held,
            signal,
          })),
        );
      return told;
    },
  );
  return changes.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
};

type Asked = {
  readonly component: string;
  readonly spans: readonly LogSpan[];
  readonly since: string;
  /** All of the service, also from before: `--at` looks for a place in each. */
  readonly held: readonly LogSpan[];
  readonly signal: AbortSignal;
};

const ofComponent = async (
  bench: Workbench,
  access: ComponentAccess,
  { component, spans, since, held, signal }: Asked,
): Promise<readonly TimelineChange[]> => {
  const changes = access.driver(component).logs?.changes;
  const [first] = spans;
  if (changes === undefined || first === undefined) return [];
  const { logs } = await bench.vault();
  const { service } = first;
  const { read } = await logs.reader({ service, component });
  const context = await access.context(component);
  const selection = new Selection();
  for (const span of spans) {
    const begin = await logs.positionAt({ service, component, line: span.line, at: since });
    const isWithin = begin !== null && begin.span.from === span.from;
    const request = { span, from: isWithin ? begin.position : span.from, read, signal };
    for await (const change of changes.read(context, request))
      if (Date.parse(change.at) >= Date.parse(since)) selection.add({ ...change, line: span.line });
  }
  const { large, notable } = selection.end();
  const all = [...large, ...notable];
  const names = await namesOf(changes, access, component, all);
  return all.map(({ at, what, target, subjects, line }) => {
    const known = subjects.flatMap((subject) => (changes.names === undefined ? subject : (names.get(subject) ?? [])));
    const where = [...new Set(known)];
    return {
      component,
      at,
      what: where.length === 0 ? what : `${what}, in ${formatList(where, 3)}`,
      words: `before ${target}${placeWords({ component, line }, held)}`,
    };
  });
};

/** What `--at` must be told besides, since other logs know such places too: transactions have the same numbers on each line of a server that was put back. */
const placeWords = ({ component, line }: Pick<LogSpan, "component" | "line">, held: readonly LogSpan[]): string => {
  const isAlone = held.every((span) => span.component === component);
  const isOnlyLine = held.every((span) => span.component !== component || span.line === line);
  return `${isAlone ? "" : ` of ${component}`}${isOnlyLine ? "" : ` on ${line}`}`;
};

/** Of a server that does not answer the names stay unknown, and its log tells the rest. */
const namesOf = async (
  changes: LogChanges,
  access: ComponentAccess,
  component: string,
  all: readonly LogChange[],
): Promise<ReadonlyMap<string, string>> => {
  const subjects = [...new Set(all.flatMap((change) => change.subjects))];
  if (changes.names === undefined || subjects.length === 0) return new Map();
  const context = await access.context(component);
  return changes.names(context, subjects).catch((error: unknown) => {
    context.signal.throwIfAborted();
    if (toRefloatError(error).code === "bug") throw error;
    return new Map();
  });
};
