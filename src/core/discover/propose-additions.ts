/**
 * What a running service rests on and its declaration does not name: compares what was observed with what is declared, and proposes what to add.
 * Pure: it is told all that was seen.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { Json } from "../../model/json.ts";
import { declaredEdges } from "../graph/build-graph.ts";
import { serviceEdges } from "../graph/service-graph.ts";
import type { ObservedTree } from "../ports/discovery.ts";
import { formatList } from "../text/quantity.ts";

/** One change of the file. */
export type Addition = {
  /** Below the service. */
  readonly path: readonly string[];
  /** `item`: added to the list at the path. */
  readonly as: "value" | "item";
  readonly value: Json;
  /** What was seen. */
  readonly because: string;
};

export type Discovered = {
  readonly component: string;
  readonly tree: ObservedTree;
  readonly additions: readonly Addition[];
  /** What was seen and cannot be proposed. */
  readonly notes: readonly string[];
};

/** A component of this or another service, by what stands behind its stable names. */
export type Known = {
  readonly service: string;
  readonly component: string;
  /** Absolute path that it captures. */
  readonly path: string | null;
  /** TCP port that it is reached at on this machine, or a peer's host and port. */
  readonly endpoint: { readonly host: string; readonly port: number } | null;
};

/** A component that runs, as it was seen. */
export type SeenProcess = {
  readonly component: string;
  readonly release: string | null;
  readonly tree: ObservedTree;
};

export type DiscoverInput = {
  readonly service: ServiceDeclaration;
  readonly known: readonly Known[];
  readonly processes: readonly SeenProcess[];
};

/** What has been proposed so far: a patch that gave two components one name would lose the first. */
type Proposed = {
  readonly names: Set<string>;
  /** Name of the component, by host, port and database. */
  readonly databases: Map<string, string>;
  readonly folders: Set<string>;
};

type Looking = Omit<DiscoverInput, "processes"> & SeenProcess & { readonly proposed: Proposed };

/** Of each process; what one of them needs and another does too is proposed once. */
export const proposeAdditions = ({ processes, ...input }: DiscoverInput): readonly Discovered[] => {
  const { components, provision = {} } = input.service;
  const proposed: Proposed = {
    names: new Set([...Object.keys(components), ...Object.keys(provision)]),
    databases: new Map(),
    folders: new Set(),
  };
  return processes.map((process) => proposeFor({ ...input, ...process, proposed }));
};

const proposeFor = (input: Looking): Discovered => {
  const found = [...undeclaredEdges(input), ...undeclaredFolders(input), ...undeclaredVariables(input)];
  return {
    component: input.component,
    tree: input.tree,
    additions: found.flatMap((one) => ("path" in one ? [one] : [])),
    notes: [...found.flatMap((one) => ("note" in one ? [one.note] : [])), ...otherNotes(input)],
  };
};

type Found = Addition | { readonly note: string };

const isLoopback = (host: string): boolean => host.startsWith("127.") || host === "::1" || host === "localhost";

const reaches = ({ endpoint }: Known, peer: ObservedTree["peers"][number]): boolean =>
  endpoint !== null &&
  endpoint.port === peer.port &&
  (endpoint.host === peer.host || (peer.local && (isLoopback(endpoint.host) || endpoint.host.startsWith("/"))));

/** Hard edges that the component has already, as it would name them. */
const declaredNeeds = ({ service, component }: Looking): ReadonlySet<string> =>
  new Set([
    ...declaredEdges(service).flatMap(({ edge }) => (edge.from === component && edge.kind !== "data" ? [edge.to] : [])),
    ...serviceEdges([service]).flatMap((edge) => (edge.component === component ? [`${edge.to}.${edge.target}`] : [])),
  ]);

const undeclaredEdges = (input: Looking): readonly Found[] => {
  const { service, component, known, tree } = input;
  const needs = declaredNeeds(input);
  const proposed = new Set<string>();
  return tree.peers.flatMap((peer): readonly Found[] => {
    const address = `${peer.host}:${peer.port}`;
    const other = known.find(
      (one) => reaches(one, peer) && !(one.service === service.name && one.component === component),
    );
    if (other === undefined) return undeclaredPeer(input, peer);
    const name = other.service === service.name ? other.component : `${other.service}.${other.component}`;
    if (needs.has(name) || proposed.has(name)) return [];
    proposed.add(name);
    const path = ["components", component, "dependsOn"];
    return [{ path, as: "item", value: name, because: `${component} is connected to ${address}, which is ${name}` }];
  });
};

/** A database that a variable names in full can be declared; of another peer only its address is known. */
const undeclaredPeer = (
  { service, component, tree, proposed }: Looking,
  peer: ObservedTree["peers"][number],
): readonly Found[] => {
  const address = `${peer.host}:${peer.port}`;
  const variable = (tree.variables ?? []).find(
    ({ meaning }) =>
      meaning.kind === "database" &&
      meaning.port === peer.port &&
      (meaning.host === peer.host || (peer.local && isLoopback(meaning.host))),
  );
  if (variable?.meaning.kind !== "database")
    return [{ note: `${component} is connected to ${address}, which no component is reached at` }];
  const { host, port, database, user, hasPassword } = variable.meaning;
  const because = `${component} is connected to ${address}; its ${variable.name} names the database ${database}`;
  const place = `${host}:${port}/${database}`;
  const already = proposed.databases.get(place);
  const name = already ?? freeName(proposed, database);
  proposed.databases.set(place, name);
  const edge: Addition = { path: ["components", component, "dependsOn"], as: "item", value: name, because };
  if (already !== undefined) return [edge];
  return [
    {
      path: ["components", name],
      as: "value",
      value: {
        type: "postgres",
        url: `postgres://${user === null ? "" : `${user}@`}${host}:${port}/${database}`,
        ...(hasPassword ? { password: `\${file:/etc/${service.name}/${name}-password}` } : {}),
      },
      because,
    },
    edge,
  ];
};

/** It is free no more. */
const freeName = ({ names }: Proposed, wished: string): string => {
  const plain =
    wished
      .toLowerCase()
      .replaceAll(/[^a-z0-9_-]+/g, "-")
      .replace(/^[^a-z]+/, "") || "data";
  for (let index = 1; ; index += 1) {
    const name = index === 1 ? plain : `${plain}-${index}`;
    if (names.has(name)) continue;
    names.add(name);
    return name;
  }
};

const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder.replace(/\/+$/, "")}/`);

/** More would be a flood: whoever holds so many folders open declares the one above them. */
const foldersTold = 5;

const undeclaredFolders = ({ component, known, release, tree, proposed }: Looking): readonly Found[] => {
  const covered = [
    ...known.flatMap(({ path }) => path ?? []),
    ...(release === null ? [] : [release]),
    ...proposed.folders,
  ];
  const isCovered = (path: string): boolean => covered.some((folder) => isBelow(path, folder));
  const named = (tree.variables ?? []).flatMap(({ name, meaning }) =>
    meaning.kind === "folder" ? [{ folder: meaning.path, why: `its ${name} names it` }] : [],
  );
  const held = tree.files.map((file) => ({
    folder: file.slice(0, file.lastIndexOf("/")) || "/",
    why: `${file} is open`,
  }));
  const folders = new Map<string, string>();
  for (const { folder, why } of [...named, ...held]) {
    if (folder === "/" || isCovered(folder) || [...folders.keys()].some((other) => isBelow(folder, other))) continue;
    folders.set(folder, why);
  }
  const all = [...folders];
  return [
    ...all.slice(0, foldersTold).map(([folder, why]): Addition => {
      proposed.folders.add(folder);
      return {
        path: ["components", freeName(proposed, folder.slice(folder.lastIndexOf("/") + 1))],
        as: "value",
        value: { type: "files", path: folder },
        because: `${component} uses ${folder}, and no component holds it: ${why}`,
      };
    }),
    ...(all.length > foldersTold
      ? [
          {
            note: `${component} uses ${all.length - foldersTold} more folders that no component holds: ${formatList(all.slice(foldersTold).map(([folder]) => folder))}`,
          },
        ]
      : []),
  ];
};

const undeclaredVariables = ({ service, component, tree }: Looking): readonly Found[] => {
  if (tree.variables === null) return [];
  const declared = service.components[component]?.options["environment"];
  const names = declared !== null && typeof declared === "object" ? Object.keys(declared) : [];
  return tree.variables
    .filter(({ name }) => !names.includes(name))
    .map(({ name }) => ({
      path: ["components", component, "environment", name],
      as: "value" as const,
      value: `\${env:${name}}`,
      because: `the live process has ${name}, which the one that a recovery starts would not`,
    }));
};

const otherNotes = ({ component, release, tree }: Looking): readonly string[] => {
  const stray = tree.libraries.filter(
    ({ path, package: owner }) => owner === undefined && (release === null || !isBelow(path, release)),
  );
  return [
    ...(stray.length === 0
      ? []
      : [
          `${component} loads ${formatList(stray.map(({ path }) => path))}, which no package owns and no component holds`,
        ]),
    ...tree.mounts.map(
      ({ path, type, source }) =>
        `${component} has files on ${path} (${type}, ${source}): it must be mounted before it starts`,
    ),
    ...[...new Map(tree.hosts.map((host) => [host.name, host])).values()].map(
      ({ name, variable }) => `${component} asks DNS for ${name} (its ${variable})`,
    ),
    ...(tree.hidden ? [`not all of ${component} may be seen: run it as root`] : []),
  ];
};
