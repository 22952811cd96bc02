/**
 * What a plan knows of a point that its run will only make: not its bytes, but what they will be of. The point is compared with that before
 * anything is restored from it.
 */
import type { CapturedComponent } from "../../model/manifest.ts";
import type { PointShape } from "../../model/plan.ts";

type Captured = Readonly<Record<string, Pick<CapturedComponent, "driver" | "facts">>>;

/**
 * @param components those that are to be recovered; one that was never captured is left out
 * @param isRelease of such a one the layout is code, and tried before it serves: it may be another one
 */
export const shapeOf = (
  captured: Captured,
  components: readonly string[],
  isRelease: (component: string) => boolean,
): PointShape =>
  Object.fromEntries(
    components.flatMap((name) => {
      const one = captured[name];
      if (one === undefined) return [];
      const { schemaHash, position } = one.facts;
      const schema = schemaHash === undefined || isRelease(name) ? {} : { schemaHash };
      return [[name, { driver: one.driver, ...schema, hasPosition: position !== undefined }]];
    }),
  );

/** In a person's words, `db has another schema`; empty where the point is of that shape.. */
export const shapeDifferences = (shape: PointShape, captured: Captured): readonly string[] =>
  Object.entries(shape).flatMap(([name, planned]) => {
    const one = captured[name];
    if (one === undefined) return [`it has nothing of ${name}`];
    if (one.driver !== planned.driver) return [`${name} is of type ${one.driver}, not ${planned.driver}`];
    const { schemaHash, position } = one.facts;
    return [
      ...(planned.schemaHash !== undefined && schemaHash !== planned.schemaHash
        ? [`${name} has another schema or layout than the plan was made for`]
        : []),
      ...(planned.hasPosition && position === undefined ? [`${name} tells no position`] : []),
    ];
  });
