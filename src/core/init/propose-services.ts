/**
 * From what was found on a machine to services: an application, the databases and folders that it uses, and the proxy in front of it
 * belong together; a database that nobody is seen to use is a service of its own. Pure; nothing here is more than a proposal.
 */
import { escapeTemplate } from "../declaration/template.ts";
import { formatBytes } from "../text/quantity.ts";
import type {
  FoundDatabase,
  FoundHaproxy,
  FoundPostgres,
  FoundProcess,
  MachineFindings,
  VariableMeaning,
} from "./machine-findings.ts";
import { hidden } from "./mask-words.ts";
import { freeName, serviceName, slug } from "./propose-name.ts";

/** `value` as the file has it: what was found is escaped, so that only references of the proposal itself are references. */
export type ProposedLine = { readonly key: string; readonly value: string; readonly comment?: string };

export type ProposedComponent = {
  readonly name: string;
  readonly type: "postgres" | "files" | "process";
  /** How it was found, for a comment. */
  readonly about: string;
  readonly lines: readonly ProposedLine[];
  readonly environment: readonly ProposedLine[];
  /** Variables whose values were not looked at. */
  readonly otherVariables: readonly string[];
  readonly dependsOn: readonly string[];
};

export type ProposedCutover = {
  readonly server: string;
  /** Null when HAProxy has no socket that may change it. */
  readonly socket: string | null;
  readonly to: string;
};

export type ProposedService = {
  readonly name: string;
  readonly probe: string | null;
  readonly components: readonly ProposedComponent[];
  readonly cutover: readonly ProposedCutover[];
};

export type Proposal = {
  readonly hostname: string;
  readonly services: readonly ProposedService[];
  /** What was seen and could not be proposed, and what could not be seen. */
  readonly notes: readonly string[];
};

type Database = { readonly server: FoundPostgres; readonly database: FoundDatabase };
type DatabaseMeaning = Extract<VariableMeaning, { kind: "database" }>;

export const proposeServices = (findings: MachineFindings): Proposal => {
  const databases = findings.postgres.flatMap((server) =>
    (server.databases ?? []).map((database): Database => ({ server, database })),
  );
  const taken = new Set<string>();
  const groups = groupProcesses(findings.processes, databases);
  const used = new Set(groups.flatMap((group) => group.databases));
  const services = [
    ...groups.map((group) => proposeGroup(group, findings, taken)),
    ...databases.filter((database) => !used.has(database)).map((database) => proposeAlone(database, taken)),
  ];
  return { hostname: findings.hostname, services, notes: notesOf(findings) };
};

const notesOf = (findings: MachineFindings): readonly string[] => [
  ...findings.postgres.flatMap(({ port, problem }) =>
    problem === null ? [] : [`PostgreSQL on port ${port} could not be asked: ${problem.found}; ${problem.hint}`],
  ),
  ...findings.haproxy.flatMap(({ configFile, config }) =>
    config === null ? [`HAProxy's configuration ${configFile} could not be read`] : [],
  ),
  ...findings.gaps,
];

type Group = { readonly processes: readonly FoundProcess[]; readonly databases: readonly Database[] };

const isLoopback = (host: string): boolean => /^(localhost|127\.[\d.]+|::1|\/.*|)$/.test(host);

const meaningsOf = (process: FoundProcess): readonly DatabaseMeaning[] =>
  (process.variables ?? []).flatMap(({ meaning }) => (meaning.kind === "database" ? [meaning] : []));

const matches = (meaning: DatabaseMeaning, { server, database }: Database): boolean =>
  isLoopback(meaning.host) && meaning.port === server.port && meaning.database === database.name;

/** By its variables; else, where a server has one database only, by an open connection to it. */
const databasesOf = (process: FoundProcess, databases: readonly Database[]): readonly Database[] => {
  const named = databases.filter((database) => meaningsOf(process).some((meaning) => matches(meaning, database)));
  const connected = databases.filter(
    ({ server }) =>
      process.connectsTo.includes(server.port) &&
      server.databases?.length === 1 &&
      !named.some((one) => one.server === server),
  );
  return [...named, ...connected];
};

/** Processes that share a database belong to one service. */
const groupProcesses = (processes: readonly FoundProcess[], databases: readonly Database[]): readonly Group[] => {
  const groups: { processes: FoundProcess[]; databases: Set<Database> }[] = [];
  for (const process of processes) {
    const used = databasesOf(process, databases);
    const joined = groups.filter((group) => used.some((database) => group.databases.has(database)));
    const merged = {
      processes: [...joined.flatMap((group) => group.processes), process],
      databases: new Set([...joined.flatMap((group) => [...group.databases]), ...used]),
    };
    for (const group of joined) groups.splice(groups.indexOf(group), 1);
    groups.push(merged);
  }
  return groups.map((group) => ({ processes: group.processes, databases: [...group.databases] }));
};

const proposeAlone = (database: Database, takenServices: Set<string>): ProposedService => {
  const name = freeName(slug(database.database.name), takenServices);
  return {
    name,
    probe: null,
    components: [proposeDatabase("db", database, [], name)],
    cutover: [],
  };
};

const proposeGroup = (group: Group, findings: MachineFindings, takenServices: Set<string>): ProposedService => {
  const service = freeName(serviceName(group.processes, group.databases[0]?.database.name), takenServices);
  const taken = new Set<string>(["self"]);
  const databaseNames = new Map(
    group.databases.map((database) => [
      database,
      freeName(group.databases.length === 1 ? "db" : slug(database.database.name), taken),
    ]),
  );
  const processNames = new Map(
    group.processes.map((process) => [
      process,
      freeName(group.processes.length === 1 ? "app" : slug(process.program), taken),
    ]),
  );
  const folders = proposeFolders(group.processes, taken);
  const proxies = findings.haproxy.flatMap((haproxy) => proposeProxy(haproxy, processNames, taken));
  return {
    name: service,
    probe: proxies.find(({ probe }) => probe !== null)?.probe ?? directProbe(group.processes),
    components: [
      ...group.databases.map((database) =>
        proposeDatabase(databaseNames.get(database) ?? "db", database, group.processes, service),
      ),
      ...folders.map(({ component }) => component),
      ...group.processes.map((process) =>
        proposeProcess({
          process,
          name: processNames.get(process) ?? "app",
          databaseNames,
          folderNames: new Map(folders.map(({ path, component }) => [path, component.name])),
          takenPorts: findings.takenPorts,
        }),
      ),
      ...proxies.map(({ component }) => component),
    ],
    cutover: proxies.flatMap(({ cutover }) => cutover),
  };
};

const directProbe = (processes: readonly FoundProcess[]): string | null => {
  const port = processes[0]?.ports[0];
  return port === undefined ? null : `http://127.0.0.1:${port}/`;
};

const proposeDatabase = (
  name: string,
  { server, database }: Database,
  processes: readonly FoundProcess[],
  service: string,
): ProposedComponent => {
  const meaning = processes.flatMap(meaningsOf).find((one) => matches(one, { server, database }));
  const user = meaning?.user === undefined || meaning.user === null ? "" : `${encodeURIComponent(meaning.user)}@`;
  const needsPassword = meaning?.hasPassword === true && server.tcp;
  const url =
    (user !== "" && server.tcp) || server.socketDirectory === null
      ? `postgres://${user}127.0.0.1:${server.port}/${encodeURIComponent(database.name)}`
      : socketUrl(server, encodeURIComponent(database.name));
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
  };
};

const socketUrl = ({ socketDirectory, port }: FoundPostgres, database: string): string => {
  const parameters = [
    ...(socketDirectory === "/var/run/postgresql" ? [] : [`host=${socketDirectory ?? ""}`]),
    ...(port === 5432 ? [] : [`port=${port}`]),
  ];
  return `postgres:///${database}${parameters.length === 0 ? "" : `?${parameters.join("&")}`}`;
};

const proposeFolders = (processes: readonly FoundProcess[], taken: Set<string>) => {
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

const proposeProcess = (parts: ProcessParts): ProposedComponent => {
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

/** A word as /bin/sh reads it back. */
const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

const proposeProxy = (
  { configFile, config, systemdUnit, pid }: FoundHaproxy,
  processNames: ReadonlyMap<FoundProcess, string>,
  taken: Set<string>,
) => {
  if (config === null) return [];
  const routed = config.servers.flatMap((server) => {
    const name = [...processNames].find(
      ([process]) => isLoopback(server.host) && process.ports.includes(server.port),
    )?.[1];
    return name === undefined ? [] : [{ server, name }];
  });
  if (routed.length === 0) return [];
  const [bind] = config.binds;
  const component: ProposedComponent = {
    name: freeName("proxy", taken),
    type: "files",
    about: `HAProxy's configuration (pid ${pid})`,
    lines: [
      {
        key: "path",
        value: escapeTemplate(configFile.replace(/\/[^/]+$/, "") || "/"),
        ...(systemdUnit === null
          ? { comment: "add reload: the line that tells HAProxy that its files have changed" }
          : {}),
      },
      ...(systemdUnit === null
        ? []
        : [{ key: "reload", value: `systemctl reload ${systemdUnit.replace(/\.service$/, "")}` }]),
    ],
    environment: [],
    otherVariables: [],
    dependsOn: [...new Set(routed.map(({ name }) => name))],
  };
  return [
    {
      component,
      probe:
        bind === undefined ? null : `http://${bind.host.includes(":") ? `[${bind.host}]` : bind.host}:${bind.port}/`,
      cutover: routed.map(({ server, name }): ProposedCutover => ({
        server: escapeTemplate(`${server.backend}/${server.server}`),
        socket: config.adminSocket === null ? null : escapeTemplate(config.adminSocket),
        to: `\${${name}.address}`,
      })),
    },
  ];
};
