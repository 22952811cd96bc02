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

export type DiscoverInput = {
  readonly service: ServiceDeclaration;
  readonly services: readonly ServiceDeclaration[];
  readonly known: readonly Known[];
  readonly component: string;
  readonly release: string | null;
  readonly tree: ObservedTree;
};

export const proposeAdditions = (input: DiscoverInput): Discovered => {
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
const declaredNeeds = ({ service, component }: DiscoverInput): ReadonlySet<string> =>
  new Set([
    ...declaredEdges(service).flatMap(({ edge }) => (edge.from === component && edge.kind !== "data" ? [edge.to] : [])),
    ...serviceEdges([service]).flatMap((edge) => (edge.component === component ? [`${edge.to}.${edge.target}`] : [])),
  ]);

const undeclaredEdges = (input: DiscoverInput): readonly Found[] => {
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
  { service, component, tree }: DiscoverInput,
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
  const name = freeName(service, database);
  const because = `${component} is connected to ${address}; its ${variable.name} names the database ${database}`;
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
    { path: ["components", component, "dependsOn"], as: "item", value: name, because },
  ];
};

const freeName = ({ components }: ServiceDeclaration, wished: string): string => {
  const plain =
    wished
      .toLowerCase()
      .replaceAll(/[^a-z0-9_-]+/g, "-")
      .replace(/^[^a-z]+/, "") || "data";
  for (let index = 1; ; index += 1) {
    const name = index === 1 ? plain : `${plain}-${index}`;
    if (!Object.hasOwn(components, name)) return name;
  }
};

const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder.replace(/\/+$/, "")}/`);

/** More would be a flood: whoever holds so many folders open declares the one above them. */
const foldersTold = 5;

const undeclaredFolders = (input: DiscoverInput): readonly Found[] => {
  const { service, component, known, release, tree } = input;
  const covered = [...known.flatMap(({ path }) => path ?? []), ...(release === null ? [] : [release])];
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
  const taken = new Set<string>();
  return [
    ...all.slice(0, foldersTold).map(([folder, why]): Addition => {
      const base = freeName(service, folder.slice(folder.lastIndexOf("/") + 1));
      const name = taken.has(base)
        ? freeName(
            {
              ...service,
              components: { ...service.components, ...Object.fromEntries([...taken].map((one) => [one, {} as never])) },
            },
            base,
          )
        : base;
      taken.add(name);
      return {
        path: ["components", name],
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

const undeclaredVariables = ({ service, component, tree }: DiscoverInput): readonly Found[] => {
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

const otherNotes = ({ component, release, tree }: DiscoverInput): readonly string[] => {
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
