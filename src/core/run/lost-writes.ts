/** What a run's steps have said of writes that the new side does not have, and of those that only the side has which an undo left. */
import { z } from "zod";
import type { Plan } from "../../model/plan.ts";
import type { RunRecord, StepRecord } from "../../model/run.ts";
import { keptSides } from "./kept-sides.ts";
import { type Objective, elapsed, metAtMost } from "./objective.ts";

type LostUnit = {
  readonly name: string;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** Path of the export. */
  readonly file: string | null;
  /** That of the changed rows, as the old side has them. */
  readonly changedFile: string | null;
  /** No reconcile puts its added rows back. */
  readonly byHand: boolean;
  readonly counted?: "rows" | "keys" | undefined;
};

/** Paths of what was exported of a unit. */
export const exportsOf = ({ file, changedFile }: Pick<LostUnit, "file" | "changedFile">): readonly string[] =>
  [file, changedFile].filter((path) => path !== null);

export type RpoActual = Objective & {
  readonly component: string;
  readonly actualMs: number;
  /** Some of what was written bears no time, or could not be compared: it is the time to the switch, until which that may have been. */
  readonly atMost: boolean;
  /** ISO: the last write that the point does not have, when it is known. */
  readonly lastWriteAt: string | null;
  readonly units: readonly LostUnit[];
  /** What could not be compared, and why. */
  readonly gaps: readonly string[];
  /** Folder of the exports; null when nothing was exported. */
  readonly directory: string | null;
  /** Does reconcile read rows out of the side that was put away, whatever was exported of it? */
  readonly hasReconcile: boolean;
};

export type LeftWrites = Pick<RpoActual, "component" | "units" | "gaps" | "directory">;

/** What save-lost journals as its output. */
export const lostOutputSchema = z.object({
  lastWriteAt: z.string().nullable(),
  units: z.array(
    z.object({
      name: z.string(),
      added: z.number(),
      changed: z.number(),
      removed: z.number(),
      file: z.string().nullable(),
      changedFile: z.string().nullable().default(null),
      byHand: z.boolean().default(false),
      counted: z.enum(["rows", "keys"]).optional(),
    }),
  ),
  gaps: z.array(z.string()),
  directory: z.string(),
  hasReconcile: z.boolean().default(false),
});

type LostOutput = z.infer<typeof lostOutputSchema>;

/** A run as far as its writes are concerned. */
type Told = { readonly plan: Plan; readonly find: (id: string) => StepRecord | undefined };

const within = (directory: string, file: string | null): string | null =>
  file === null ? null : `${directory}/${file}`;

const writtenUnits = ({ units, directory }: LostOutput): readonly LostUnit[] =>
  units
    .filter(({ added, changed, removed }) => added + changed + removed > 0)
    .map((unit) => ({ ...unit, file: within(directory, unit.file), changedFile: within(directory, unit.changedFile) }));

/** What was seen after the switch is the whole of it; what was seen early is all that is known of a run that did not get there. */
const toldOf = (find: Told["find"], component: string): LostOutput | undefined =>
  [`save-lost:${component}:final`, `save-lost:${component}`]
    .map((id) => lostOutputSchema.safeParse(find(id)?.output))
    .find(({ success }) => success)?.data;

/** Of each table the file with the rows that only the old side has. */
export const exportedRows = ({ steps }: Pick<RunRecord, "steps">, component: string): ReadonlyMap<string, string> => {
  const told = toldOf((id) => steps.find((step) => step.id === id), component);
  return new Map(
    (told === undefined ? [] : writtenUnits(told)).flatMap(({ name, file }) => (file === null ? [] : [[name, file]])),
  );
};

export const rpoActual = ({ plan, find }: Told, component: string): RpoActual | null => {
  const captured = plan.intent.point?.components[component];
  const forecast = plan.forecast.loses.find((loss) => loss.component === component);
  if (captured === undefined || forecast === undefined) return null;
  // What its log took it to is not lost.
  const since = plan.intent.replays?.[component]?.at ?? captured.facts.position?.takenAt ?? captured.window.beginAt;
  const told = toldOf(find, component);
  // What a column says may be older than the point: an update that leaves `created_at` alone was written later all the same.
  const lastWriteAt =
    [told?.lastWriteAt, forecast.lastWriteAt].find(
      (at) => typeof at === "string" && Date.parse(at) > Date.parse(since),
    ) ?? null;
  const units = told === undefined ? [] : writtenUnits(told);
  const gaps = told?.gaps ?? [];
  const nothing = told !== undefined && told.lastWriteAt === null && units.length === 0 && gaps.length === 0;
  const known = lastWriteAt === null ? forecast.lostMs : elapsed(since, lastWriteAt);
  // An update or a deletion leaves no time behind, unless the application keeps one; until the switch it may have been made.
  const switchedAt = find(`switch:${component}`)?.beganAt ?? null;
  const untimed = gaps.length > 0 || units.some(({ changed, removed }) => changed + removed > 0);
  const atMost = untimed && switchedAt !== null && elapsed(since, switchedAt) > known;
  const actualMs = nothing ? 0 : atMost ? elapsed(since, switchedAt) : known;
  const files = units.some((unit) => exportsOf(unit).length > 0);
  return {
    component,
    actualMs,
    atMost,
    lastWriteAt: nothing ? null : lastWriteAt,
    units,
    gaps,
    directory: files && told !== undefined ? told.directory : null,
    hasReconcile: told?.hasReconcile === true,
    ...metAtMost(actualMs, atMost ? known : actualMs, plan.intent.declaration.objectives.rpo),
  };
};

/** Rows that came after the point, of all components: what a commit drops, unless they were put back or exported. */
export const lostWrites = ({ steps }: Pick<RunRecord, "steps">, components: readonly string[]): readonly LeftWrites[] =>
  components.flatMap((component) => {
    const told = toldOf((id) => steps.find((step) => step.id === id), component);
    const units =
      told === undefined ? [] : writtenUnits({ ...told, units: told.units.map((unit) => ({ ...unit, removed: 0 })) });
    const gaps = told?.gaps ?? [];
    return units.length + gaps.length === 0 ? [] : [{ component, units, gaps, directory: told?.directory ?? null }];
  });

/** Has its old side rows that nobody puts back? To drop it is no step to take without a look then. */
export const keepsRowsByHand = (run: RunRecord): boolean =>
  lostWrites(
    run,
    keptSides(run).map(({ component }) => component),
  ).some(({ units }) => units.some(({ byHand }) => byHand));

/** Of a failback, what home has from before users left it and the side elsewhere never had: it has stood still since, and was looked up early. */
export const leftWrites = ({ plan, find }: Told, component: string): LeftWrites | null => {
  const stage = plan.intent.undoes === null ? "" : ":final";
  const told = lostOutputSchema.safeParse(find(`save-lost:${component}${stage}`)?.output).data;
  if (told === undefined) return null;
  const isUndo = plan.intent.undoes !== null;
  // The side elsewhere has gone on: what the old side here lacks of it is no loss.
  const units = writtenUnits(isUndo ? told : { ...told, units: told.units.map((unit) => ({ ...unit, removed: 0 })) });
  if (units.length === 0) return null;
  return {
    component,
    units,
    gaps: told.gaps,
    directory: units.some((unit) => exportsOf(unit).length > 0) ? told.directory : null,
  };
};
