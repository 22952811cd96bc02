/**
 * Free loopback ports for servers of tests, demo and benches. They lie below the range from which Linux takes the ports of outgoing
 * connections (ip_local_port_range, from 32768): a port of that range may be taken between its choice and the server's start.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { type Server, createServer } from "node:net";
import getPort from "get-port";

const lowest = 12_000;
const highest = 32_000;
const attempts = 500;

/**
 * The sign that a port is spoken for, in the kernel's name space of sockets without a file: it goes with this process. Many ports are chosen
 * long before a server listens on them, as those of a declaration are; without it another test file takes one of them meanwhile.
 * @returns null when another process, or this one, has chosen it
 */
const claim = async (port: number): Promise<Server | null> => {
  const sign = createServer().unref();
  sign.listen(`\0refloat-port-${port}`);
  return once(sign, "listening").then(
    () => sign,
    () => null,
  );
};

const takeAll = async (first: number, count: number): Promise<boolean> => {
  const signs: Server[] = [];
  for (let port = first; port < first + count; port += 1) {
    const sign = await claim(port);
    if (sign !== null) signs.push(sign);
    if (sign === null || (await getPort({ host: "127.0.0.1", port })) !== port) {
      for (const one of signs) one.close();
      return false;
    }
  }
  return true;
};

/**
 * @param neighbours how many ports in a row must be free
 * @returns the first of them; nobody listens on them, and no process that lives has chosen them by this function
 */
export const findFreePort = async (neighbours = 1): Promise<number> => {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const first = randomInt(lowest, highest - neighbours);
    if (await takeAll(first, neighbours)) return first;
  }
  throw new Error(`there are no ${neighbours} free ports in a row between ${lowest} and ${highest}`);
};
