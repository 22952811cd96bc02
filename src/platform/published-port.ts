/** A TCP port of this machine that leads to one inside a container or a virtual machine, as a person declares it. */
import { RefloatError } from "../model/refloat-error.ts";
import { findPortOwners } from "./port-owner.ts";
import { describeProcess } from "./process-table.ts";

const portPattern = /^((\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):)?(\d{1,5})(:(\d{1,5}))?$/;
const isPort = (number: number): boolean => number >= 1 && number <= 65_535;

export type PublishedPort = {
  /** Of this machine; 127.0.0.1 when none is declared. An IPv6 one without its brackets. */
  readonly address: string;
  readonly port: number;
  /** On which it listens inside. */
  readonly inside: number;
};

/** `6390`, `6390:6379`, `10.0.0.5:6390:6379`. @returns null for what is no port */
export const parsePort = (text: string | number): PublishedPort | null => {
  const found = portPattern.exec(String(text));
  if (found === null) return null;
  const port = Number(found[4]);
  const inside = found[6] === undefined ? port : Number(found[6]);
  const address = (found[2] ?? "127.0.0.1").replace(/^\[|\]$/g, "");
  return isPort(port) && isPort(inside) ? { address, port, inside } : null;
};

export const publishedPorts = ({
  ports = [],
}: {
  readonly ports?: readonly (string | number)[] | undefined;
}): readonly PublishedPort[] => ports.flatMap((text) => parsePort(text) ?? []);

/** The address at which this machine asks: where everybody may ask, this machine may. */
export const askedAddress = ({ address }: PublishedPort): string =>
  address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;

/** ADDRESS:PORT for this machine. */
export const reachable = (published: PublishedPort): string => {
  const asked = askedAddress(published);
  return `${asked.includes(":") ? `[${asked}]` : asked}:${published.port}`;
};

const shown = (value: string) => ({ value, secret: false });

/** Outputs of what listens on published ports: of the first of them; none where there is none. */
export const portOutputs = ([first]: readonly PublishedPort[]) =>
  first === undefined
    ? {}
    : {
        address: shown(reachable(first)),
        port: shown(String(first.port)),
        url: shown(`http://${reachable(first)}`),
      };

/** Descriptions of those, for options that may not be right yet. */
export const portOutputDescriptions = (options: unknown) => {
  const { ports } = options as { readonly ports?: unknown };
  return !Array.isArray(ports) || ports.length === 0
    ? {}
    : {
        address: { description: "ADDRESS:PORT of the first port.", secret: false },
        port: { description: "The first port.", secret: false },
        url: { description: "http://ADDRESS:PORT of the first port.", secret: false },
      };
};

/**
 * What listens there is not known to be what is declared.
 * @param not what the one that listens is not: "which is not its container"
 * @throws RefloatError instance.exists
 */
export const refuseTakenPort = (component: string, port: number, not: string): void => {
  const { open, pids } = findPortOwners(port);
  if (!open) return;
  const who = pids.length === 0 ? "a process of another user" : `process ${pids.map(describeProcess).join(" and ")}`;
  throw new RefloatError("instance.exists", `${component} is to listen on port ${port}, and ${who} does, ${not}`, {
    hint: "stop it, declare another port, or leave the entry out and let components name its address",
  });
};
