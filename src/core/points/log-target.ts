/**
 * A place in the log of one component, by the words of its technology: `xid 1234`, `restore point before import`. It becomes a position that the vault holds
 * before anything is chosen or done. What is not there is refused with what there is; what could be several places, with how to say which.
 */
import type { LogSpan } from "../../model/log-span.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { comparePositions } from "../logs/log-position.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import type { LogOperations, LogTargetFound, LogTargetWord, LogTargets } from "../ports/logs.ts";
import type { LogStore } from "../ports/vault-logs.ts";
import { formatList } from "../text/quantity.ts";
import { shellWord } from "../text/shell-word.ts";
import type { AtExpression } from "../time/at-expression.ts";

export type LogTarget = Extract<AtExpression, { readonly kind: "log-target" }>;

/** What was typed; nothing was looked up. */
export type TypedTarget = {
  readonly text: string;
  /** Up to it and without it; else with it. */
  readonly isBefore: boolean;
  /** As its driver spells it. */
  readonly word: string;
  /** What stands behind the word. */
  readonly rest: string;
};

const wordsOf = (registry: DriverRegistry): readonly LogTargetWord[] =>
  [...registry.components.values()].flatMap(({ logs }) => logs?.targets?.words ?? []);

/** `before xid 1234`; null for what `--at` says otherwise. `before "xid 1234"` is a mark of that name. */
export const readTarget = (registry: DriverRegistry, text: string): TypedTarget | null => {
  const said = text.trim();
  for (const { word } of wordsOf(registry)) {
    const spaced = word.replaceAll(" ", String.raw`\s+`);
    const form = new RegExp(String.raw`^(?<before>(?:just\s+)?before\s+)?(?:the\s+)?${spaced}\s+(?<rest>\S.*)$`, "isu");
    const { before, rest } = form.exec(said)?.groups ?? {};
    if (rest !== undefined) return { text: said, isBefore: before !== undefined, word, rest };
  }
  return null;
};

export type TargetRequest = {
  readonly service: string;
  /** Components that are to be recovered; null for all. */
  readonly only: readonly string[] | null;
  readonly signal: AbortSignal;
};

/** One log, in which the place is looked for. */
type Place = Pick<TargetRequest, "service" | "signal"> & {
  readonly typed: TypedTarget;
  readonly component: string;
  readonly spans: readonly LogSpan[];
  readonly driver: LogOperations & { readonly targets: LogTargets };
};

type Found = LogTargetFound & { readonly line: string; readonly at: string };

/** @throws RefloatError log.unknown-target, time.unclear, vault.* */
export const resolveTarget = async (
  { logs, registry }: { readonly logs: LogStore; readonly registry: DriverRegistry },
  typed: TypedTarget,
  { service, only, signal }: TargetRequest,
): Promise<LogTarget> => {
  const driverOf = ({ driver }: LogSpan): LogOperations | undefined => registry.components.get(driver)?.logs;
  const wordIn = (driver: LogOperations | undefined): LogTargetWord | undefined =>
    driver?.targets?.words.find(({ word }) => word === typed.word);
  const knowing = (await logs.spans(service)).filter((span) => wordIn(driverOf(span)) !== undefined);
  const { value, line, ...named } = splitPlace(typed.rest, knowing);
  const component = named.component ?? onlyComponent(typed, knowing, { service, only });
  const spans = knowing.filter((span) => span.component === component && (line === null || span.line === line));
  const driver = spans.map(driverOf).find((one) => one !== undefined);
  const read = wordIn(driver)?.read(value);
  if (driver?.targets === undefined || read === undefined) throw new RefloatError("bug", `no log knows ${typed.word}`);
  const place: Place = { typed, service, signal, component, spans, driver: { ...driver, targets: driver.targets } };
  if ("unfit" in read) throw unfit(place, value, read.unfit);
  const found =
    "position" in read ? await atPosition(logs, place, read.position) : await search(logs, place, read.sought);
  const [first, ...others] = found;
  if (first === undefined) throw notHeld(place, "position" in read ? `no ${typed.word} ${value}` : read.missing);
  if (others.length > 0) throw severalLines(place, found);
  if (first.voidBecause !== undefined) throw nothingOfIt(place, first, first.voidBecause);
  return {
    kind: "log-target",
    text: typed.text,
    what: `${typed.word} ${value}`,
    isBefore: typed.isBefore,
    component,
    line: first.line,
    position: typed.isBefore ? first.before : first.after,
    at: first.at,
  };
};

const quoted = /^(?:"(?<double>.*)"|'(?<single>.*)'|“(?<curly>.*)”)$/su;

/** `1234 of orders on 7000/2`: words that name no log here belong to what is looked for. */
const splitPlace = (
  rest: string,
  spans: readonly LogSpan[],
): { readonly value: string; readonly component: string | null; readonly line: string | null } => {
  let value = rest;
  const last = (word: string, isKnown: (name: string) => boolean): string | null => {
    const { left, name } =
      new RegExp(String.raw`^(?<left>.*\S)\s+${word}\s+(?<name>\S+)$`, "su").exec(value)?.groups ?? {};
    if (left === undefined || name === undefined || !isKnown(name)) return null;
    value = left;
    return name;
  };
  const line = last("on", (name) => spans.some((span) => span.line === name));
  const component = last("of", (name) => spans.some((span) => span.component === name));
  const { double, single, curly } = quoted.exec(value)?.groups ?? {};
  return { value: double ?? single ?? curly ?? value, component, line };
};

/** @throws RefloatError log.unknown-target where no log knows such places, time.unclear where several do */
const onlyComponent = (
  { text, word }: TypedTarget,
  spans: readonly LogSpan[],
  { service, only }: Pick<TargetRequest, "service" | "only">,
): string => {
  const all = [...new Set(spans.map(({ component }) => component))];
  const wanted = all.filter((name) => only?.includes(name) !== false);
  const [component, ...others] = wanted.length > 0 ? wanted : all;
  if (component === undefined)
    throw new RefloatError("log.unknown-target", `the vault holds no log of ${service} that knows of any ${word}`, {
      state: "nothing was changed",
      hint: `refloat capture ${service} --continuous receives the logs of its components, from then on`,
      nextCommand: `refloat points ${service}`,
    });
  if (others.length > 0)
    throw new RefloatError(
      "time.unclear",
      `"${text}" may be of ${[component, ...others].join(" or of ")}, which have logs of their own`,
      {
        hint: `say which: --at ${shellWord(`${text} of ${component}`)}`,
        nextCommand: `refloat plan ${service} --at ${shellWord(`${text} of ${component}`)}`,
      },
    );
  return component;
};

const atPosition = async (
  logs: LogStore,
  { service, component, spans }: Place,
  position: string,
): Promise<readonly Found[]> => {
  const found: Found[] = [];
  for (const line of new Set(spans.map((span) => span.line))) {
    const moment = await logs.momentAt({ service, component, line, position });
    if (moment !== null) found.push({ line, before: position, after: position, at: moment.at });
  }
  return found;
};

/** The newest on each line. */
const search = async (
  logs: LogStore,
  { typed: { word }, service, component, spans, driver, signal }: Place,
  sought: string,
): Promise<readonly Found[]> => {
  const { read } = await logs.reader({ service, component });
  const found: Found[] = [];
  for (const [line, own] of Map.groupBy(spans, (span) => span.line)) {
    for (const span of own.toSorted((a, b) => comparePositions(b.to, a.to))) {
      const place = await driver.targets.find({ word, sought, span, read, signal });
      if (place === null) continue;
      const moment =
        place.at === undefined ? await logs.momentAt({ service, component, line, position: place.after }) : null;
      found.push({ ...place, line, at: place.at ?? moment?.at ?? span.toAt });
      break;
    }
  }
  return found;
};

const placeIn = ({ driver }: Place, line: string, position: string): string =>
  driver.placeOf?.(line, position) ?? position;

const unfit = ({ typed, driver }: Place, value: string, why: string): RefloatError =>
  new RefloatError("time.unclear", `cannot read "${typed.text}": "${value}" is none, ${why}`, {
    hint: `places in its log are named so: ${driver.targets.words.map(({ example }) => example).join(", ")}`,
  });

/** `missing`: "no end of transaction 1234". */
const notHeld = (place: Place, missing: string): RefloatError => {
  const { service, component, spans } = place;
  const held = spans
    .toSorted((a, b) => Date.parse(b.toAt) - Date.parse(a.toAt))
    .map(
      ({ line, from, to, fromAt, toAt }) =>
        `${placeIn(place, line, from)} to ${placeIn(place, line, to)} on ${line} (${fromAt} to ${toAt})`,
    );
  return new RefloatError(
    "log.unknown-target",
    `the log of ${component} that the vault holds has ${missing}: it holds ${formatList(held)}`,
    {
      context: { component, missing },
      state: "nothing was changed",
      hint: `what came later may still be at its server: refloat capture ${service} --continuous receives it`,
      nextCommand: `refloat timeline ${service}`,
    },
  );
};

/** As after a recovery: what came after the moment that it went to is on the old line alone, and the new one has used its numbers again. */
const severalLines = (place: Place, found: readonly Found[]): RefloatError => {
  const { typed, service } = place;
  const told = found.map(({ line, after, at }) => `on ${line} at ${placeIn(place, line, after)} (${at})`);
  const [newest] = found.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const words = shellWord(`${typed.text} on ${newest?.line}`);
  return new RefloatError("time.unclear", `"${typed.text}" is ${formatList(told)}`, {
    hint: `say on which: --at ${words}`,
    nextCommand: `refloat plan ${service} --at ${words}`,
  });
};

const nothingOfIt = (place: Place, { line, after, at }: Found, why: string): RefloatError =>
  new RefloatError(
    "log.unknown-target",
    `${why}, at ${placeIn(place, line, after)} in the log of ${place.component} (${at}): no moment has anything of it`,
    {
      state: "nothing was changed",
      hint: "the data is the same just before it and just after it: a time says which moment is meant",
      nextCommand: `refloat plan ${place.service} --at ${at}`,
    },
  );
