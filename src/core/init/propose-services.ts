/**
 * From what was found on a machine to services: an application, the databases and folders that it uses, and the proxy in front of it
 * belong together; a database that nobody is seen to use is a service of its own. Pure; nothing here is more than a proposal.
 */
import { type Database, matches, meaningsOf } from "./found-database.ts";
import type { FoundProcess, MachineFindings } from "./machine-findings.ts";
import type { Proposal, ProposedService } from "./proposal.ts";
import { proposeDatabase, proposeFolders, proposeProcess } from "./propose-components.ts";
import { freeName, serviceName, slug } from "./propose-name.ts";
import { proposeProxy } from "./propose-proxy.ts";

export type { Proposal } from "./proposal.ts";

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
