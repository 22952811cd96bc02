/**
 * What is live against a point, part by part, for a technology whose captures are files of a whole server: nobody reads all of it to find one damaged table.
 * What is there at all is asked first; rows only of what somebody names.
 */
import type { CapturedComponent } from "../../model/manifest.ts";
import type { MendedTable } from "../../model/mend.ts";
import type { DriverContext } from "./driver.ts";
import type { PointSource } from "./row-mending.ts";

/** A database of the point. */
export type SurveyedPart = {
  /** As it can be typed behind the component. */
  readonly name: string;
  /** At the capture; null where that is not known. */
  readonly sizeBytes: number | null;
  readonly isLive: boolean;
};

/** One table, named as `mend` and `extract` take it: `bench/orders`. */
export type ComparedPart = { readonly name: string } & (
  | { readonly state: "compared"; readonly rows: MendedTable }
  /** Only the point has it. */
  | { readonly state: "gone"; readonly pointRows: number | null }
  /** Only what is live has it. */
  | { readonly state: "added" }
  /** Why its rows could not be compared. */
  | { readonly state: "unseen"; readonly why: string }
);

export type PartComparing<Options = unknown> = {
  /** Reads no rows. @throws RefloatError source.* */
  readonly survey: (
    context: DriverContext<Options>,
    captured: CapturedComponent,
  ) => Promise<{ readonly parts: readonly SurveyedPart[] }>;
  /** What comparing it takes, where that is more than its name says: for a person, before it begins. Null where it is not worth a word. */
  readonly cost: (captured: CapturedComponent, name: string) => string | null;
  /**
   * A table, or every table of a database. Changes nothing, and leaves nothing behind however it ends.
   * @throws RefloatError point.unknown for what neither side has, usage for a name of another form, target.failed when there is no room, program.missing, log.*, vault.*, source.*
   */
  readonly compare: (context: DriverContext<Options>, source: PointSource, name: string) => AsyncIterable<ComparedPart>;
};
