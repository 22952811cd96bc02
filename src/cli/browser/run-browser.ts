/**
 * Looking into a point at a terminal: takes keys and results one after the other, does what they ask for, and draws what has come of it. All
 * that is decided is decided in core/browser; the terminal is full-screen's.
 */
import { enterLevel, riseToLevel, tellBrowser, tellWork } from "../../core/browser/browser-results.ts";
import {
  type BrowserEffect,
  type BrowserKey,
  type BrowserLevel,
  type BrowserState,
  openBrowser,
  resizeBrowser,
} from "../../core/browser/browser-state.ts";
import { pressKey } from "../../core/browser/press-key.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import { browserPageRows, renderBrowser } from "../../render/browser-view.ts";
import type { CommandContext } from "../command.ts";
import { EventQueue } from "./event-queue.ts";
import { openFullScreen } from "./full-screen.ts";

/** What an effect has brought: the state that it makes of the one before. */
type Arrival = (state: BrowserState) => BrowserState;

export type BrowserWorld = {
  readonly open: (effect: Extract<BrowserEffect, { kind: "open" }>, signal: AbortSignal) => Promise<BrowserLevel>;
  readonly rise: (effect: Extract<BrowserEffect, { kind: "rise" }>, signal: AbortSignal) => Promise<BrowserLevel>;
  readonly versions: (
    effect: Extract<BrowserEffect, { kind: "versions" }>,
    signal: AbortSignal,
  ) => Promise<BrowserLevel>;
  /** @param progress is given what goes on, in a person's words @returns what was extracted, in the same */
  readonly extract: (
    effect: Extract<BrowserEffect, { kind: "extract" }>,
    signal: AbortSignal,
    progress: (what: string) => void,
  ) => Promise<string>;
};

type Event =
  | { readonly kind: "key"; readonly key: BrowserKey }
  | { readonly kind: "resized" }
  | { readonly kind: "progress"; readonly what: string }
  | { readonly kind: "arrived"; readonly arrival: Arrival }
  | { readonly kind: "broken"; readonly error: unknown }
  /** The terminal is gone, or the process was told to stop. */
  | { readonly kind: "ended" };

/** @returns when the person leaves @throws the signal's reason when told to stop; what nobody foresaw */
export const runBrowser = async (
  world: BrowserWorld,
  first: BrowserLevel,
  { shell, output, signal }: Pick<CommandContext, "shell" | "output" | "signal">,
  timeZone: string,
): Promise<void> => {
  const events = new EventQueue<Event>();
  const screen = openFullScreen(shell, output, {
    key: (key) => events.push({ kind: "key", key }),
    resized: () => events.push({ kind: "resized" }),
    gone: () => events.push({ kind: "ended" }),
  });
  // At once: the next signal ends the process where it stands.
  const onAbort = (): void => {
    screen.close();
    events.push({ kind: "ended" });
  };
  signal.addEventListener("abort", onAbort);
  const work = createWork(world, events, signal);
  let state = resizeBrowser(openBrowser(first), browserPageRows(screen.size()));
  try {
    for (;;) {
      signal.throwIfAborted();
      // What came meanwhile is answered first: a key that repeats is not drawn as often as it repeats.
      if (events.isEmpty) {
        const { columns } = screen.size();
        screen.draw(renderBrowser(state, screen.size(), { ...output.screen(timeZone), width: columns }));
      }
      const event = await events.next();
      switch (event.kind) {
        case "key": {
          const pressed = pressKey(state, event.key);
          state = pressed.state;
          if (pressed.effect?.kind === "quit") return;
          if (pressed.effect !== null) work.begin(pressed.effect);
          break;
        }
        case "resized":
          state = resizeBrowser(state, browserPageRows(screen.size()));
          break;
        case "progress":
          state = tellWork(state, event.what);
          break;
        case "arrived":
          state = event.arrival(state);
          break;
        case "broken":
          throw event.error;
        case "ended":
          signal.throwIfAborted();
          return;
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    screen.close();
    await work.end();
  }
};

type Work = {
  readonly begin: (effect: BrowserEffect) => void;
  /** Stops what goes on and waits until it has tidied up. */
  readonly end: () => Promise<void>;
};

/** One thing at a time, beside the keys. */
const createWork = (world: BrowserWorld, events: EventQueue<Event>, signal: AbortSignal): Work => {
  let current: { readonly controller: AbortController; readonly done: Promise<void> } | null = null;

  const act = async (effect: BrowserEffect, own: AbortSignal): Promise<Arrival> => {
    switch (effect.kind) {
      case "open": {
        const level = await world.open(effect, own);
        return (state) => enterLevel(state, level);
      }
      case "rise": {
        const level = await world.rise(effect, own);
        return (state) => riseToLevel(state, level);
      }
      case "versions": {
        const level = await world.versions(effect, own);
        return (state) => enterLevel(state, level);
      }
      case "extract": {
        const told = await world.extract(effect, own, (what) => events.push({ kind: "progress", what }));
        return (state) => tellBrowser(state, told);
      }
      case "stop":
      case "quit":
        return (state) => state;
      default:
        return effect satisfies never;
    }
  };

  const settle = async (effect: BrowserEffect, own: AbortSignal): Promise<void> => {
    try {
      events.push({ kind: "arrived", arrival: await act(effect, own) });
    } catch (thrown) {
      const error = toRefloatError(thrown);
      if (own.aborted) events.push({ kind: "arrived", arrival: (state) => tellBrowser(state, "stopped") });
      else if (error.code === "bug") events.push({ kind: "broken", error: thrown });
      else events.push({ kind: "arrived", arrival: (state) => tellBrowser(state, errorLine(error), true) });
    }
  };

  return {
    begin: (effect) => {
      if (effect.kind === "stop") {
        current?.controller.abort();
        return;
      }
      const controller = new AbortController();
      current = { controller, done: settle(effect, AbortSignal.any([signal, controller.signal])) };
    },
    end: async () => {
      current?.controller.abort();
      await current?.done;
    },
  };
};

const errorLine = ({ code, message, hint }: { code: string; message: string; hint: string | undefined }): string =>
  `${code}: ${message}${hint === undefined ? "" : `; ${hint}`}`;
