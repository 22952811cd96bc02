/** capture: take a recovery point. */
import { z } from "zod";
import { eventEnvelope } from "../../contract/envelope.ts";
import { type CaptureEvent, capture } from "../../operations/capture.ts";
import { captureFailed } from "../../core/notify/capture-failed.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { captureContinuously } from "../capture-continuously.ts";
import { renderCapture } from "../../render/capture-screen.ts";
import { createCaptureView } from "../capture-view.ts";
import { answer, defineCommand } from "../command.ts";
import { showProgress, sparsely } from "../live-progress.ts";
import { onlyInput, serviceArgument, serviceInput } from "../words.ts";

/** restic separates tags by commas. */
const tagInput = z.string().regex(/^[^,=\s]{1,64}$/, "a tag is a word without blanks, commas and =");

export const captureCommand = defineCommand({
  name: "capture",
  group: "Every day",
  summary: "take a recovery point",
  about: [
    "Reads every component of a service in the order of their data references and writes one recovery point: data, the declaration as it " +
      "is now, the dependency graph, and facts to validate a restore against. Only what the vault does not have yet is written.",
    "A point is whole or it is not there: what was killed or failed half way leaves none. The service goes on meanwhile. A check that fails " +
      "at the source marks the point and does not stop it.",
    "--continuous takes no point. It receives the logs of the service's components (PostgreSQL's WAL, of postgres-cluster) into the vault as " +
      "they are written, so that any second between two points can be reached, and runs until SIGTERM or Ctrl-C, which stores what has come and ends " +
      "with 0. One process for each log; what the vault cannot take for a while waits at the source.",
  ],
  arguments: [serviceArgument],
  options: [
    {
      name: "tag",
      value: "NAME",
      repeatable: true,
      about: "a name for the point, which keep: { tags } can hold on to",
    },
    {
      name: "only",
      value: "A,B",
      repeatable: true,
      about: "capture these components alone; a recovery adds the newest parts of the others",
      completes: "components",
    },
    { name: "continuous", about: "receive logs until told to end, instead of taking a point" },
    {
      name: "every",
      value: "TIME",
      about: "with --continuous: how long what is written may be kept back to be stored together (2s)",
    },
  ],
  examples: [
    { line: "refloat capture shop", about: "a point of shop, now" },
    {
      line: "*/30 * * * *  refloat capture shop --json >>/var/log/refloat-shop.jsonl",
      about: "every half hour, by cron",
    },
    { line: "refloat capture shop --only db", about: "the database alone, more often than the rest" },
    { line: "refloat capture shop --continuous", about: "any second from now on, as a service of systemd" },
  ],
  exits: [3, 4, 6, 7],
  input: z
    .object({
      service: serviceInput,
      tag: z.array(tagInput).default([]),
      only: onlyInput,
      continuous: z.boolean().default(false),
      every: z
        .string()
        .refine((text) => (parseDuration(text) ?? 0) > 0, "a time such as 2s")
        .optional(),
    })
    .refine(({ continuous, every }) => continuous || every === undefined, "--every belongs to --continuous")
    .refine(
      ({ continuous, only }) => !continuous || only === null,
      "--only belongs to a point, and --continuous takes none",
    )
    .refine(
      ({ continuous, tag }) => !continuous || tag.length === 0,
      "--tag names a point, and --continuous takes none",
    ),
  act: async ({ service, tag, only, continuous, every }, context) => {
    const { bench: open, output, signal } = context;
    if (continuous) {
      const everyMs = parseDuration(every ?? "2s") ?? 2000;
      return captureContinuously({ service, everyMs }, context);
    }
    const bench = await open();
    const view = createCaptureView(service, bench.clock);
    const progress = showProgress(output, view);
    const tell = sparsely(bench.clock, (event: CaptureEvent) => output.event(eventEnvelope("capture", event)));
    const warnings: string[] = [];
    const onEvent = (event: CaptureEvent): void => {
      const line = view.apply(event);
      if (line !== null) progress.told(line);
      if (event.type === "warning") warnings.push(`${event.message}; ${event.hint}; see ${event.nextCommand}`);
      if (event.type === "progress") tell(event);
      else output.event(eventEnvelope("capture", event));
    };
    try {
      const point = await capture(bench, { service, tags: tag, ...(only === null ? {} : { only }), onEvent, signal });
      return answer("capture", point, renderCapture(point, warnings, output.screen(bench.host.timeZone)));
    } catch (error) {
      // Who has stopped it knows.
      if (!signal.aborted) bench.notifier.tell(captureFailed(bench, service, error));
      throw error;
    } finally {
      progress.stop();
    }
  },
});
