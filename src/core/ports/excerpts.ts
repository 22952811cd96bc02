/**
 * Single things out of a capture that only the technology's own server can read: a temporary instance of no more than is needed is made from
 * the point, asked, and removed. Reads the point and its log alone, never the source.
 */
import type { CapturedComponent } from "../../model/manifest.ts";
import type { ByteStream } from "./bytes.ts";
import type { DriverContext, Replay, RowFormat } from "./driver.ts";
import type { TreeReader } from "./vault-snapshots.ts";

/** `dump`: an archive with definitions and rows, as the technology's own program makes and reads it. Else the rows of a table. */
export type ExcerptForm = RowFormat | "dump";

export type ExcerptRequest = {
  /** As typed behind the component. */
  readonly name: string;
  readonly form: ExcerptForm;
  /** As of a moment after the point; null for the point itself. */
  readonly replay: Replay | null;
  /** What goes on now, in a person's words. */
  readonly stage: (what: string) => void;
  /** What a person should know besides; given before the bytes end. */
  readonly warn: (warning: string) => void;
};

export type Excerpts<Options = unknown> = {
  /** Databases that the capture has, as they can be typed behind the component. */
  readonly databases: (captured: CapturedComponent) => readonly string[];
  /** What such a name would be; null when it has no such form. Whether it is there only the instance knows. */
  readonly kindOf: (name: string) => "table" | "schema" | "database" | null;
  /**
   * The bytes end without an error only if all of it was there. The instance is made when the first is asked for, and nothing of it is left
   * when they end, fail, or nobody wants more; if the process is killed it ends, and its folder goes with the next one.
   * @throws RefloatError point.unknown naming the nearest, source.unsupported for what has no rows of its own, target.failed when there is no
   * room, program.missing, log.*, vault.*
   */
  readonly take: (
    context: DriverContext<Options>,
    source: { readonly tree: TreeReader; readonly captured: CapturedComponent },
    request: ExcerptRequest,
  ) => ByteStream;
};
