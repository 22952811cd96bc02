/** The proxy in front of an application: its files as a component, its servers as the way of cutover, its front end as the probe. */
import { escapeTemplate } from "../declaration/template.ts";
import { isLoopback } from "./found-database.ts";
import type { FoundHaproxy, FoundProcess } from "./machine-findings.ts";
import type { ProposedComponent, ProposedCutover } from "./proposal.ts";
import { freeName } from "./propose-name.ts";

/** Nothing when it leads to none of these processes, or when its configuration could not be read. */
export const proposeProxy = (
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
