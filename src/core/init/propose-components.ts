/** Components for what was found: a database, the folders and the process of an application. */
import { escapeTemplate } from "../declaration/template.ts";
import { formatBytes } from "../text/quantity.ts";
import { shellWord } from "../text/shell-word.ts";
import { type Database, matches, meaningsOf } from "./found-database.ts";
import type { FoundPostgres, FoundProcess, VariableMeaning } from "./machine-findings.ts";
import { hidden } from "./mask-words.ts";
import type { ProposedComponent, ProposedLine } from "./proposal.ts";
import { freeName, slug } from "./propose-name.ts";

export const proposeDatabase = (
  name: string,
  { server, database }: Database,
  processes: readonly FoundProcess[],
  service: string,
): ProposedComponent => {
  const meaning = processes.flatMap(meaningsOf).find((one) => matches(one, { server, database }));
  const user = meaning?.user === undefined || meaning.user === null ? "" : `${encodeURIComponent(meaning.user)}@`;
  const needsPassword = meaning?.hasPassword === true && server.tcp;
  const { missingRole, socketDirectory, port } = server;
  const bySocket = (user === "" || !server.tcp) && socketDirectory !== null;
  const url = bySocket
    ? socketUrl(server, encodeURIComponent(database.name))
    : `postgres://${user}127.0.0.1:${port}/${encodeURIComponent(database.name)}`;
  const version = server.version === null ? "PostgreSQL" : `PostgreSQL ${server.version}`;
  return {
    name,
    type: "postgres",
    about: `${version}, ${formatBytes(database.sizeBytes)}, owned by ${database.owner}`,
    lines: [
      { key: "url", value: escapeTemplate(url) },
      ...(needsPassword
        ? [
            {
              key: "password",
              value: `\${file:/etc/${service}/db-password}`,
              comment: "the application has it; put it into this file, readable by you only",
            },
          ]
        : []),
    ],
    environment: [],
    otherVariables: [],
    dependsOn: [],
    ...(bySocket && missingRole !== null
      ? { missingRole: { role: missingRole, owners: [database.owner], socketDirectory, port } }
      : {}),
  };
};

const socketUrl = ({ socketDirectory, port }: FoundPostgres, database: string): string => {
  const parameters = [
    ...(socketDirectory === "/var/run/postgresql" ? [] : [`host=${socketDirectory ?? ""}`]),
    ...(port === 5432 ? [] : [`port=${port}`]),
  ];
  return `postgres:///${database}${parameters.length === 0 ? "" : `?${parameters.join("&")}`}`;
};

export const proposeFolders = (processes: readonly FoundProcess[], taken: Set<string>) => {
  const seen = new Map<string, { readonly path: string; readonly component: ProposedComponent }>();
  for (const process of processes) {
    for (const { name, meaning } of process.variables ?? []) {
      if (meaning.kind !== "folder" || seen.has(meaning.path)) continue;
      const component: ProposedComponent = {
        name: freeName(slug(meaning.path.replace(/^.*\//, "")), taken),
        type: "files",
        about: `the folder in ${name} of ${process.program} (pid ${process.pid})`,
        lines: [{ key: "path", value: escapeTemplate(meaning.path) }],
        environment: [],
        otherVariables: [],
        dependsOn: [],
      };
      seen.set(meaning.path, { path: meaning.path, component });
    }
  }
  return [...seen.values()];
};

type ProcessParts = {
  readonly process: FoundProcess;
  readonly name: string;
  readonly databaseNames: ReadonlyMap<Database, string>;
  readonly folderNames: ReadonlyMap<string, string>;
  readonly takenPorts: readonly number[];
};

export const proposeProcess = (parts: ProcessParts): ProposedComponent => {
  const { process, name, databaseNames } = parts;
  const variables = process.variables ?? [];
  const bound = variables.flatMap(({ name: variable, meaning }): readonly ProposedLine[] => {
    const value = referenceFor(meaning, parts);
    return value === undefined ? [] : [{ key: variable, value }];
  });
  const referred = new Set(bound.map(({ value }) => /\$\{([^.}]+)\./.exec(value)?.[1]));
  const unbound = [...databaseNames].filter(
    ([{ server }, component]) => process.connectsTo.includes(server.port) && !referred.has(component),
  );
  return {
    name,
    type: "process",
    about: `pid ${process.pid}${process.user === null ? "" : `, user ${process.user}`}, listens on ${process.ports.join(", ")}`,
    lines: [
      releaseLine(process),
      startLine(process),
      ...(process.systemdUnit === null
        ? []
        : [{ key: "stop", value: escapeTemplate(`systemctl stop ${process.systemdUnit}`) }]),
      portsLine(process, parts.takenPorts),
      ...(process.user === null || process.user === "root" ? [] : [{ key: "user", value: process.user }]),
    ],
    environment: bound,
    otherVariables: variables
      .filter(({ name: own }) => !bound.some(({ key }) => key === own))
      .map(({ name: own }) => own),
    dependsOn: unbound.map(([, component]) => component),
  };
};

const referenceFor = (meaning: VariableMeaning, parts: ProcessParts): string | undefined => {
  if (meaning.kind === "port") return "${self.port}";
  if (meaning.kind === "folder") {
    const folder = parts.folderNames.get(meaning.path);
    return folder === undefined ? undefined : `\${${folder}.path}`;
  }
  if (meaning.kind !== "database") return undefined;
  const name = [...parts.databaseNames].find(([database]) => matches(meaning, database))?.[1];
  if (name === undefined) return undefined;
  return meaning.form === "url" ? `\${${name}.url}` : `jdbc:postgresql://\${${name}.address}/\${${name}.database}`;
};

const releaseLine = ({ releaseLink, workingDirectory }: FoundProcess): ProposedLine => ({
  key: "release",
  value: escapeTemplate(releaseLink ?? workingDirectory ?? "/"),
  ...(releaseLink === null
    ? { comment: "better: a link such as /srv/NAME/current that leads to one folder per release" }
    : {}),
});

const startLine = ({ words }: FoundProcess): ProposedLine => ({
  key: "start",
  value: escapeTemplate(words.map(shellWord).join(" ")),
  ...(words.some((word) => word.includes(hidden))
    ? { comment: `${hidden} stands for what looked like a secret: give it by environment instead` }
    : {}),
});

const portsLine = ({ ports }: FoundProcess, taken: readonly number[]): ProposedLine => {
  const port = ports[0] ?? 0;
  return taken.includes(port + 1)
    ? { key: "ports", value: String(port), comment: "add a free one, and the new side can start beside the live one" }
    : { key: "ports", value: `${port}-${port + 1}`, comment: "one live, one free for the new side" };
};
