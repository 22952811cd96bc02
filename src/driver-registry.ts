/** Composition root: the one list of what this build can capture, check and direct. A new technology is one folder and one line here. */
import { joinChecks } from "./core/components/join-checks.ts";
import type { CheckDriver, DriverBundle, DriverRegistry } from "./core/ports/driver.ts";
import { addressBundle } from "./drivers/address/address-bundle.ts";
import { commandBundle } from "./drivers/command/command-bundle.ts";
import { dnsBundle } from "./drivers/dns/dns-bundle.ts";
import { etcdBundle } from "./drivers/etcd/etcd-bundle.ts";
import { filesBundle } from "./drivers/files/files-bundle.ts";
import { gitBundle } from "./drivers/git/git-bundle.ts";
import { haproxyBundle } from "./drivers/haproxy/haproxy-bundle.ts";
import { httpBundle } from "./drivers/http/http-bundle.ts";
import { mariadbBundle } from "./drivers/mariadb/mariadb-bundle.ts";
import { nginxBundle } from "./drivers/nginx/nginx-bundle.ts";
import { packagesBundle } from "./drivers/packages/packages-bundle.ts";
import { pgbouncerBundle } from "./drivers/pgbouncer/pgbouncer-bundle.ts";
import { podmanBundle } from "./drivers/podman/podman-bundle.ts";
import { postgresClusterBundle } from "./drivers/postgres-cluster/postgres-cluster-bundle.ts";
import { copiedRowMending } from "./drivers/postgres/mend/copied-row-mending.ts";
import { postgresBundle } from "./drivers/postgres/postgres-bundle.ts";
import { processBundle } from "./drivers/process/process-bundle.ts";
import { qemuBundle } from "./drivers/qemu/qemu-bundle.ts";
import { redisBundle } from "./drivers/redis/redis-bundle.ts";
import { sqliteBundle } from "./drivers/sqlite/sqlite-bundle.ts";
import { tcpBundle } from "./drivers/tcp/tcp-bundle.ts";
import { terraformBundle } from "./drivers/terraform/terraform-bundle.ts";
import { RefloatError } from "./model/refloat-error.ts";

const bundles: readonly DriverBundle[] = [
  postgresBundle,
  postgresClusterBundle(copiedRowMending),
  mariadbBundle,
  redisBundle,
  etcdBundle,
  sqliteBundle,
  filesBundle,
  gitBundle,
  terraformBundle,
  processBundle,
  packagesBundle,
  podmanBundle,
  qemuBundle,
  httpBundle,
  tcpBundle,
  commandBundle,
  haproxyBundle,
  nginxBundle,
  pgbouncerBundle,
  dnsBundle,
  addressBundle,
];

const byWord = <Driver>(
  drivers: readonly Driver[],
  what: string,
  wordOf: (driver: Driver) => string,
): ReadonlyMap<string, Driver> => {
  const words = new Map<string, Driver>();
  for (const driver of drivers) {
    const word = wordOf(driver);
    if (words.has(word)) throw new RefloatError("bug", `two drivers claim the ${what} "${word}"`);
    words.set(word, driver);
  }
  return words;
};

/** A kind that several technologies know is one check. */
const joinedChecks = (from: readonly DriverBundle[]): readonly CheckDriver[] => {
  const kinds = new Map<string, Map<string, CheckDriver>>();
  for (const { name, checks } of from)
    for (const check of checks) {
      const known = kinds.get(check.kind) ?? new Map<string, CheckDriver>();
      kinds.set(check.kind, known.set(name, check));
    }
  return [...kinds.values()].map((technologies) => {
    const [only] = technologies.values();
    return only !== undefined && technologies.size === 1 ? only : joinChecks(technologies);
  });
};

export const createDriverRegistry = (from: readonly DriverBundle[]): DriverRegistry => ({
  components: byWord(
    from.flatMap(({ components }) => components),
    "component type",
    ({ type }) => type,
  ),
  checks: byWord(joinedChecks(from), "kind of check", ({ kind }) => kind),
  sets: byWord(
    from.flatMap(({ sets = [] }) => sets),
    "kind of set",
    ({ kind }) => kind,
  ),
  traffic: byWord(
    from.flatMap(({ traffic }) => traffic),
    "kind of cutover",
    ({ kind }) => kind,
  ),
  provisions: byWord(
    from.flatMap(({ provisions = [] }) => provisions),
    "type of provision",
    ({ type }) => type,
  ),
});

export const driverRegistry: DriverRegistry = createDriverRegistry(bundles);
