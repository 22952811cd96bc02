/** Capture by a declared line: its standard output is the data, its end with exit status 0 the seal. */
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { openShellPipe } from "../../platform/shell-pipe.ts";
import { askFacts, countsOf, movedFacts } from "./component-facts.ts";
import { stableNameOf } from "./component-names.ts";
import { type CommandContext, dataTimeoutMs } from "./component-options.ts";
import { positionOf } from "./component-position.ts";
import { about, bindLine } from "./run-line.ts";

/** Where in the component's snapshot the stream lies. */
export const dataPath = (root: string): string => `${root}/data`;

export const captureCommand = async (
  context: CommandContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
): Promise<CaptureReport> => {
  const { component, options, clock, signal } = context;
  const stable = stableNameOf(context);
  const beginAt = clock.now().toISOString();
  // Before the first byte: whatever is written from here on may or may not be in the point, and counts as after it.
  const position = await positionOf(context, null);
  const before = await askFacts(context, stable);
  const what = `capture of ${component}`;
  const { line, settings } = await bindLine(context, options.capture, what, about(stable));
  const timeoutMs = dataTimeoutMs(options);
  const pipe = openShellPipe(line, { ...settings, what, ...(timeoutMs === null ? {} : { timeoutMs }) });
  const root = `/${component}`;
  const total = previous?.facts.sizeBytes;
  let sizeBytes = 0;
  async function* counted() {
    for await (const chunk of pipe.bytes) {
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  const seal = async () => {
    await pipe.seal();
    if (sizeBytes > 0 || options.mayBeEmpty === true) return {};
    throw new RefloatError("source.failed", `the ${what} ended well and wrote nothing`, {
      hint: "if there may be nothing to capture, declare mayBeEmpty: true",
    });
  };
  try {
    const receipt = await sink.stream(
      dataPath(root),
      { bytes: counted(), seal },
      signal,
      accumulateProgress(context.progress, { unit: "streams", ...(total === undefined ? {} : { bytesTotal: total }) }),
    );
    const after = await askFacts(context, stable);
    const moved = movedFacts(before, after);
    return {
      path: root,
      facts: {
        sizeBytes: receipt.sizeBytes,
        counts: { ...countsOf(after), streams: 1 },
        units: { data: { sizeBytes: receipt.sizeBytes, sha256: receipt.sha256 } },
        position,
        versions: {},
        detail: { told: after, moved: [...moved] },
      },
      window: { beginAt, endAt: clock.now().toISOString() },
      consistency: "live",
      warnings:
        moved.length === 0
          ? []
          : [`${moved.join(", ")} changed while the data was written, so a restore cannot be compared with it`],
    };
  } finally {
    pipe.close();
  }
};
