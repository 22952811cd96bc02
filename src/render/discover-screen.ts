/** What was discovered of a running service, and what to add to the file. */
import type { Discovered } from "../core/discover/propose-additions.ts";
import { formatAmount, formatList } from "../core/text/quantity.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type DiscoveryOnScreen = {
  readonly service: string;
  readonly processes: readonly Discovered[];
  readonly away: readonly string[];
  readonly patch: string | null;
};

const labelWidth = 12;

export const renderDiscovery = ({ service, processes, away, patch }: DiscoveryOnScreen, screen: Screen): string => {
  const count = processes.reduce((sum, { additions }) => sum + additions.length, 0);
  return lines(
    processes.flatMap((one) => describeProcess(one, screen)),
    away.map((component) => `${component} does not run now: nothing can be told of it`),
    processes.length === 0 && away.length === 0 ? `${service} has no component that runs` : null,
    count === 0
      ? "nothing that runs is undeclared"
      : patch === null
        ? [
            "",
            `${formatAmount(count, "additions")}; the file is written in a form that a patch would change elsewhere too, so make them by hand`,
          ]
        : ["", patch.trimEnd()],
    nextLine(screen, count === 0 ? `refloat capture ${service}` : "refloat validate"),
  );
};

const describeProcess = ({ component, tree, additions, notes }: Discovered, screen: Screen): readonly string[] => {
  const part = (label: string, texts: readonly string[]): readonly string[] =>
    texts.flatMap((text, index) => hanging((index === 0 ? label : "").padEnd(labelWidth), text, screen));
  const owned = tree.libraries.filter((library) => library.package !== undefined).length;
  return [
    screen.paint(
      "bold",
      `${component}  pid ${tree.pids[0] ?? "?"}${tree.pids.length === 1 ? "" : ` and ${tree.pids.length - 1} that it started`}`,
    ),
    ...part("Libraries", [
      `${tree.libraries.length}, ${owned} of them of ${formatAmount(tree.packages.length, "packages")}`,
    ]),
    ...part("Open files", tree.files.length === 0 ? [] : [formatList(tree.files)]),
    ...part("Listens on", tree.ports.length === 0 ? [] : [tree.ports.join(", ")]),
    ...part(
      "Talks to",
      tree.peers.length === 0
        ? []
        : [
            formatList(
              tree.peers.map(({ host, port }) => `${host}:${port}`),
              8,
            ),
          ],
    ),
    ...part(
      "Variables",
      tree.variables === null || tree.variables.length === 0
        ? []
        : [
            formatList(
              tree.variables.map(({ name }) => name),
              12,
            ),
          ],
    ),
    ...part(
      "To add",
      additions.map(
        ({ path, value, because }) =>
          `${path.join(".")}: ${typeof value === "string" ? value : JSON.stringify(value)} (${because})`,
      ),
    ),
    ...part("Note", notes),
  ];
};
