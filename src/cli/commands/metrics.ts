/** metrics: what Prometheus is told: once, into a file for the node exporter, or over HTTP. */
import { resolve } from "node:path";
import { z } from "zod";
import type { Workbench } from "../../core/ports/workbench.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readStatus } from "../../operations/status.ts";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { metricFamilies } from "../../render/metric-families.ts";
import { type MetricFamily, renderMetrics } from "../../render/metrics-text.ts";
import { type CommandContext, type CommandResult, answer, defineCommand } from "../command.ts";
import { type ListenAddress, parseListenAddress, serveMetrics } from "../serve-metrics.ts";

export const metricsCommand = defineCommand({
  name: "metrics",
  group: "Machinery",
  summary: "RTO, RPO, points, runs and vault as Prometheus metrics",
  about: [
    "Prints what refloat status knows in the text format of Prometheus: objectives, age of the newest and of the newest verified point, overdue captures, ends of logs, " +
      "states of runs, health of the vault. docs/observing.md has all names, and alert rules to copy.",
    "--file replaces a file at once, for the textfile collector of the node exporter; --listen answers scrapes under /metrics until SIGTERM or Ctrl-C, and ends with 0. " +
      "Each time the vault is listed and the probes are asked. Changes nothing.",
  ],
  arguments: [],
  options: [
    { name: "listen", value: "ADDRESS", about: "serve them over HTTP here, without a password: 127.0.0.1:9464" },
    { name: "file", value: "FILE", about: "write them to this file, readable by all, atomically", completes: "files" },
  ],
  examples: [
    { line: "refloat metrics --listen 127.0.0.1:9464", about: "as a service of systemd, to be scraped every minute" },
    {
      line: "* * * * *  refloat metrics --file /var/lib/prometheus/node-exporter/refloat.prom",
      about: "by cron, where a node exporter runs",
    },
  ],
  exits: [3, 4],
  tellsRuns: false,
  input: z
    .object({
      listen: z
        .string()
        .refine((text) => parseListenAddress(text) !== null, "an address with a port, such as 127.0.0.1:9464")
        .optional(),
      file: z.string().min(1).optional(),
    })
    .refine(
      ({ listen, file }) => listen === undefined || file === undefined,
      "--listen and --file are two ways: one at a time",
    ),
  act: async ({ listen, file }, context) => {
    const bench = await context.bench();
    const address = listen === undefined ? null : parseListenAddress(listen);
    if (address !== null) return serve(address, bench, context);
    const families = await readFamilies(bench, context.signal);
    const text = renderMetrics(families);
    if (file === undefined) return answer("metrics", { families }, text.trimEnd());
    return answer("metrics", { families }, await writeTo(file, text, context));
  },
});

const readFamilies = async (bench: Workbench, signal: AbortSignal): Promise<readonly MetricFamily[]> =>
  metricFamilies(await readStatus(bench, { components: false, signal }), bench.host.toolVersion, bench.host.timeZone);

/** @returns what was told last */
const serve = async (
  address: ListenAddress,
  bench: Workbench,
  { output, signal }: CommandContext,
): Promise<CommandResult> => {
  let families: readonly MetricFamily[] = [];
  await serveMetrics({
    address,
    signal,
    read: async () => {
      families = await readFamilies(bench, signal);
      return renderMetrics(families);
    },
    onListening: (url) => output.note(`serving ${url}`),
    onFailure: (message) => output.note(`the metrics could not be read: ${message}`),
  });
  return answer("metrics", { families }, "");
};

/** The node exporter is another user. */
const readableByAll = 0o644;

const writeTo = async (file: string, text: string, { shell }: CommandContext): Promise<string> => {
  const path = resolve(shell.currentDirectory, file);
  try {
    await writeFileAtomically(path, text, readableByAll);
  } catch (error) {
    throw new RefloatError(
      "output.failed",
      `the metrics could not be written to ${path}: ${describeSystemError(error)}`,
      {
        cause: error,
        state: "what was there before is still there",
      },
    );
  }
  return `the metrics are in ${path}`;
};
