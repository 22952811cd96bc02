/** A proposal as the text of `refloat.yaml`, with comments that say where each line comes from and what is left to decide. */
import { stringify } from "yaml";
import { firstCommands } from "./first-commands.ts";
import type { ProposedComponent, ProposedLine, ProposedService, Proposal } from "./proposal.ts";

export type DeclarationTextOptions = {
  readonly vaultUrl: string;
  readonly passwordFile: string;
  /** Path or URL of the published JSON Schema, for editors. */
  readonly schema: string;
};

export const declarationText = (proposal: Proposal, options: DeclarationTextOptions): string =>
  [
    `# yaml-language-server: $schema=${options.schema}`,
    `# Proposed by \`refloat init\` from what runs on ${oneLine(proposal.hostname)}. Read it, change it, then: refloat validate --live`,
    ...firstCommands(proposal.services).map(
      ({ why, command }) => `# First, since ${oneLine(why)}: ${oneLine(command)}`,
    ),
    ...proposal.notes.map((note) => `# Not in this file: ${oneLine(note)}`),
    "vault:",
    `  url: ${scalar(options.vaultUrl)}`,
    `  password: ${scalar(`\${file:${options.passwordFile}}`)}`,
    ...(proposal.services.length === 0 ? nothingFound : ["services:", ...proposal.services.flatMap(serviceLines)]),
    "",
  ].join("\n");

/** A file that validates only once a person has said what there is to protect. */
const nothingFound = [
  "services: {}",
  "# Nothing that could be proposed runs here. A service looks like this:",
  "# services:",
  "#   notes:",
  "#     components:",
  "#       db:",
  "#         type: postgres",
  "#         url: postgres:///notes",
  "#       docs:",
  "#         type: files",
  "#         path: /srv/notes",
];

const serviceLines = (service: ProposedService): readonly string[] => [
  `  ${service.name}:`,
  "    # How long may it be away, how much may be lost? Say what the business says:",
  "    # objectives: { rto: 15m, rpo: 1h }",
  `    schedule: every 1h  # run \`refloat capture ${service.name}\` by cron; status tells what is overdue`,
  ...(service.probe === null
    ? []
    : [`    probe: ${scalar(service.probe)}  # what users ask; choose a page that proves that it works`]),
  "    components:",
  ...service.components.flatMap(componentLines),
  ...cutoverLines(service),
];

const componentLines = (component: ProposedComponent): readonly string[] => [
  `      ${component.name}:  # ${oneLine(component.about)}`,
  `        type: ${component.type}`,
  ...component.lines.map((line) => `        ${lineText(line)}`),
  ...environmentLines(component),
  ...(component.dependsOn.length === 0 ? [] : [`        dependsOn: [${component.dependsOn.join(", ")}]`]),
];

const environmentLines = ({ environment, otherVariables }: ProposedComponent): readonly string[] => {
  if (environment.length === 0 && otherVariables.length === 0) return [];
  const others =
    otherVariables.length === 0
      ? []
      : [
          "          # It runs with these too. Their values were not looked at; fill in what it needs, secrets as ${file:...}:",
          ...otherVariables.map((name) => `          # ${oneLine(name)}:`),
        ];
  if (environment.length === 0) return ["        # environment:", ...others];
  return ["        environment:", ...environment.map((line) => `          ${lineText(line)}`), ...others];
};

const cutoverLines = ({ cutover }: ProposedService): readonly string[] => {
  if (cutover.length === 0) return [];
  const withSocket = cutover.flatMap(({ server, socket, to }) =>
    socket === null
      ? []
      : [`      - haproxy: ${scalar(server)}`, `        socket: ${scalar(socket)}`, `        to: ${scalar(to)}`],
  );
  const without = cutover
    .filter(({ socket }) => socket === null)
    .flatMap(({ server, to }) => [
      "    # HAProxy has no socket that may change it: add `stats socket /run/haproxy/admin.sock level admin` to its global section",
      ...(withSocket.length === 0 ? ["    # cutover:"] : []),
      `    #   - haproxy: ${oneLine(server)}`,
      "    #     socket: /run/haproxy/admin.sock",
      `    #     to: ${oneLine(to)}`,
    ]);
  return [...(withSocket.length === 0 ? [] : ["    cutover:", ...withSocket]), ...without];
};

const lineText = ({ key, value, comment }: ProposedLine): string =>
  `${scalar(key)}: ${scalar(value)}${comment === undefined ? "" : `  # ${oneLine(comment)}`}`;

const scalar = (value: string): string => stringify(value, { lineWidth: 0 }).trimEnd();

/** A name with a line break would end the comment that it stands in. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ");
