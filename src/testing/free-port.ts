/**
 * Free loopback ports for servers of tests, demo and benches. They lie below the range from which Linux takes the ports of outgoing
 * connections (ip_local_port_range, from 32768): a port of that range may be taken between its choice and the server's start.
 */
import { randomInt } from "node:crypto";
import getPort from "get-port";

const lowest = 12_000;
const highest = 32_000;
const attempts = 500;

const isFree = async (port: number): Promise<boolean> => (await getPort({ host: "127.0.0.1", port })) === port;

const areFree = async (first: number, count: number): Promise<boolean> => {
  for (let port = first; port < first + count; port += 1) if (!(await isFree(port))) return false;
  return true;
};

/**
 * @param neighbours how many ports in a row must be free
 * @returns the first of them; nobody listens on them, and this process has not chosen them lately
 */
export const findFreePort = async (neighbours = 1): Promise<number> => {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const first = randomInt(lowest, highest - neighbours);
    if (await areFree(first, neighbours)) return first;
  }
  throw new Error(`there are no ${neighbours} free ports in a row between ${lowest} and ${highest}`);
};
