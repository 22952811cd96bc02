/** Capture by the component's tool: its streams and their seal, between two looks at its facts. */
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { countsOf, movedFacts } from "./component-facts.ts";
import { stableNameOf } from "./component-names.ts";
import type { CommandContext } from "./component-options.ts";
import { positionOf } from "./component-position.ts";
import { toolOf } from "./tool-of.ts";

export const captureCommand = async (
  context: CommandContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
): Promise<CaptureReport> => {
  const { component, options, clock } = context;
  const tool = toolOf(context);
  const stable = stableNameOf(context);
  const beginAt = clock.now().toISOString();
  // Before the first byte: whatever is written from here on may or may not be in the point, and counts as after it.
  const position = await positionOf(context, null);
  const before = await tool.facts(context, stable);
  const root = `/${component}`;
  const total = previous?.facts.sizeBytes;
  const progress = accumulateProgress(context.progress, {
    unit: "streams",
    ...(total === undefined ? {} : { bytesTotal: total }),
  });
  const { streams, versions, warnings } = await tool.capture(context, sink, root, progress);
  const sizeBytes = streams.reduce((sum, stream) => sum + stream.sizeBytes, 0);
  if (sizeBytes === 0 && options.mayBeEmpty !== true)
    throw new RefloatError("source.failed", `the capture of ${component} ended well and wrote nothing`, {
      hint: "if there may be nothing to capture, declare mayBeEmpty: true",
    });
  const after = await tool.facts(context, stable);
  const moved = movedFacts(before, after);
  return {
    path: root,
    facts: {
      sizeBytes,
      counts: { ...countsOf(after), streams: streams.length },
      units: Object.fromEntries(streams.map(({ name, ...unit }) => [name, unit])),
      position,
      versions,
      detail: { told: after, moved: [...moved] },
    },
    window: { beginAt, endAt: clock.now().toISOString() },
    consistency: "live",
    warnings: [
      ...warnings,
      ...(moved.length === 0
        ? []
        : [`${moved.join(", ")} changed while the data was written, so a restore cannot be compared with it`]),
    ],
  };
};
