/** What a capture and the keeper of its freeze say to each other: JSON lines over the keeper's standard input and output. */
import type { FreezeEnd } from "../../core/ports/freezes.ts";
import type { QuiesceDeclaration } from "../../model/declaration.ts";

/** The first line that the keeper reads. Any further one asks for the thaw, and so does the end of the stream. */
export type KeeperRequest = {
  /** Where records and locks lie; exists. */
  readonly folder: string;
  readonly service: string;
  /** As declared, for the record. */
  readonly quiesce: QuiesceDeclaration;
  /** Lines with their references replaced. Without `freeze` only what was left frozen is thawed. */
  readonly freeze: string | null;
  readonly thaw: string;
  /** A freeze that fails by itself has frozen nothing: what may be frozen then is another one's, and not ours to thaw. */
  readonly isWhole: boolean;
  readonly variables: Readonly<Record<string, string>>;
  /** Must not be seen in what is told of a line that failed. */
  readonly secrets: readonly string[];
  readonly atMostMs: number;
};

export type KeeperAnswer =
  /** Another keeper holds the service. Nothing was run. */
  | { readonly type: "busy" }
  /** Nothing was frozen, and nothing was to be thawed, or it could not be remembered. */
  | { readonly type: "idle"; readonly why: string | null }
  | { readonly type: "frozen"; readonly leftSince: string | null }
  /** The last one of each keeper that has run a line. `why`: how `freeze` failed. */
  | ({ readonly type: "ended"; readonly why: string | null } & FreezeEnd);
