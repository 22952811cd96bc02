/** Reads the text format of Prometheus as strictly as its own readers do, so that what a test accepts a scrape accepts. */

export type ReadMetric = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

const unescape = (text: string): string =>
  text.replaceAll(/\\([\\"n])/g, (_, sign: string) => (sign === "n" ? "\n" : sign));

const readLabels = (text: string): Readonly<Record<string, string>> => {
  const labels: Record<string, string> = {};
  labelPair.lastIndex = 0;
  while (labelPair.lastIndex < text.length) {
    const [, name = "", value = ""] = labelPair.exec(text) ?? [];
    if (name === "") throw new Error(`labels that cannot be read: ${text}`);
    if (name in labels) throw new Error(`the label ${name} is there twice: ${text}`);
    labels[name] = unescape(value);
  }
  return labels;
};

/** @throws Error for a line that is none, a family without HELP and TYPE before it or in two places, and a series that is there twice */
export const readMetrics = (text: string): readonly ReadMetric[] => {
  if (!text.endsWith("\n")) throw new Error("the last line is not ended");
  const typed = new Set<string>();
  const series = new Set<string>();
  const read: ReadMetric[] = [];
  let [helped, family] = ["", ""];
  for (const line of text.slice(0, -1).split("\n")) {
    const [, comment, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (comment === "HELP") helped = name;
    else if (comment === "TYPE") {
      if (helped !== name || typed.has(name) || rest !== "gauge") throw new Error(`a family out of place: ${line}`);
      typed.add(name);
      family = name;
    } else {
      const [, metric = "", labels = "", value = ""] = sampleLine.exec(line) ?? [];
      if (metric === "" || metric !== family) throw new Error(`a sample out of place: ${line}`);
      const sample = { name: metric, labels: readLabels(labels), value: Number(value) };
      const key = `${metric} ${JSON.stringify(Object.entries(sample.labels).toSorted(([one], [other]) => (one < other ? -1 : 1)))}`;
      if (series.has(key)) throw new Error(`a series is there twice: ${line}`);
      series.add(key);
      read.push(sample);
    }
  }
  return read;
};
