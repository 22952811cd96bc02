/** Arming again what a recovery has disarmed: never a part of it, always asked for by a person. */
import type { ArmProposal, DisarmedItem } from "../../model/arming.ts";
import type { DriverContext } from "./driver.ts";

export type ArmRequest = {
  /** Names of what is off; at least one. */
  readonly items: readonly string[];
  /** Where a component that archives by a command of its own is to archive from now on; null where nobody has said. */
  readonly archiveCommand: string | null;
  /** Where the side stands that was put away for this one; null when there is none. */
  readonly outgoing: string | null;
};

/** All of what is behind the stable name. What was disarmed is recorded by the driver, with what is restored, before that can act. */
export type Arming<Options = unknown> = {
  /**
   * What is off since a recovery and was neither armed nor left off for good; as it is now, whoever has changed it. Empty where nothing is.
   * Asks no more than it must: this stands on the first screen at 3 a.m.
   */
  readonly disarmed: (context: DriverContext<Options>) => Promise<readonly DisarmedItem[]>;
  /** Changes nothing. @throws RefloatError arming.refused while the other side still acts, or would archive into the same place */
  readonly propose: (context: DriverContext<Options>, request: ArmRequest) => Promise<ArmProposal>;
  /**
   * Arms the items that a proposal of the same request has, looks whether they are, and puts everything back where they are not. Idempotent: killed at
   * any moment, the same request finishes it.
   * @returns what was seen, in a person's words
   * @throws RefloatError target.failed with all of it disarmed as before
   */
  readonly arm: (context: DriverContext<Options>, request: ArmRequest) => Promise<readonly string[]>;
  /** Notes that they stay off. Changes nothing else. */
  readonly leave: (context: DriverContext<Options>, items: readonly string[]) => Promise<void>;
};
