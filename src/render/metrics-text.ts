/**
 * Metrics in the text format of Prometheus (0.0.4). Written by hand: all values are read anew for each scrape, so that nothing of what a client
 * library keeps between two (counters, registries) would be of use.
 */

export type MetricSample = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

export type MetricFamily = {
  readonly name: string;
  readonly type: "gauge";
  readonly help: string;
  readonly samples: readonly MetricSample[];
};

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");

const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

const labelsText = (labels: MetricSample["labels"]): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

/** Families without a sample are left out. */
export const renderMetrics = (families: readonly MetricFamily[]): string =>
  families
    .filter(({ samples }) => samples.length > 0)
    .map(
      ({ name, type, help, samples }) =>
        `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${samples
          .map(({ labels, value }) => `${name}${labelsText(labels)} ${String(value)}\n`)
          .join("")}`,
    )
    .join("");
