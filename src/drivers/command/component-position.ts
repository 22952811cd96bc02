/** What was written to a place since a capture, as far as its tool can tell. What it cannot tell is a gap, never a "nothing". */
import { z } from "zod";
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import type { Position } from "../../model/facts.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { stableNameOf } from "./component-names.ts";
import type { CommandComponentOptions, CommandContext } from "./component-options.ts";
import { toolOf } from "./tool-of.ts";

/** Null: it could not be told. */
export const markSchema = z.object({ at: z.string().nullable() });

export const positionOf = async (context: CommandContext, location: string | null): Promise<Position> => {
  const takenAt = context.clock.now().toISOString();
  const at = await toolOf(context).position(context, location ?? stableNameOf(context));
  return { takenAt, mark: { at } };
};

const nothing: WriteReport = { lastWriteAt: null, units: [], gaps: [] };

const gap = (why: string): WriteReport => ({ ...nothing, gaps: [why] });

const wholeNumber = (text: string): number | null => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : null;
};

export const reportBetween = (before: string | null, now: string | null, name: string): WriteReport => {
  if (before === null || now === null) return gap(`what was written to ${name} cannot be told: no position is known`);
  if (before === now) return nothing;
  const [from, to] = [wholeNumber(before), wholeNumber(now)];
  if (from !== null && to !== null && to > from)
    return { ...nothing, units: [{ name: "changes", added: 0, changed: to - from, removed: 0 }] };
  return gap(`${name} was written to: its position was ${before} and is ${now}`);
};

const writesBetween = async (
  context: CommandContext,
  since: Position,
  location: string | null,
): Promise<WriteReport> => {
  const name = location ?? stableNameOf(context);
  const before = markSchema.parse(since.mark).at;
  try {
    return reportBetween(before, markSchema.parse((await positionOf(context, location)).mark).at, name);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    // An old side may be stopped, and then it cannot be asked.
    return gap(`what was written to ${name} cannot be told: ${error.message}`);
  }
};

export const commandWrites: WriteLedger<CommandComponentOptions> = {
  position: positionOf,
  writesSince: (context, { location, since }) => writesBetween(context, since, location),
  estimateSince: async (context, since) => {
    const { units, gaps } = await writesBetween(context, since, null);
    if (gaps.length > 0) return null;
    const changed = units.reduce((sum, unit) => sum + unit.changed, 0);
    return changed === 0
      ? { about: "nothing", lastWriteAt: since.takenAt }
      : { about: `${changed.toLocaleString("en-US")} changes`, lastWriteAt: null };
  },
};
