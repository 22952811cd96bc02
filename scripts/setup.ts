/**
 * Makes sure that the programs which tests, demo and benches run for real are installed, and installs the missing ones where it
 * may. Starts no service and changes nothing when all is there. Does not touch npm packages.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fetchGuestKernel } from "./fetch-guest-kernel.ts";
import { fetchNewerPostgres } from "./fetch-newer-postgres.ts";

/** What somebody wants to run. Tests need all that the demo needs, and the servers that vaults may lie on; benches, those they race. */
export type Purpose = "demo" | "tests" | "bench";

type Requirement = { readonly debianPackage: string; readonly purpose: string; readonly isThere: () => boolean };

/** Folders of programs that Debian does not put on an ordinary user's path. */
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const isOnPath = (program: string): boolean =>
  [...(process.env.PATH ?? "").split(delimiter), ...systemFolders].some(
    (folder) => folder !== "" && isExecutable(join(folder, program)),
  );

const installedPostgres = (): string | undefined =>
  existsSync("/usr/lib/postgresql")
    ? readdirSync("/usr/lib/postgresql")
        .filter((version) => isExecutable(join("/usr/lib/postgresql", version, "bin/initdb")))
        .toSorted((a, b) => Number(a) - Number(b))
        .at(-1)
    : undefined;

/** Its package is named by the server's version, which is the system's to say: known when there is a server. */
const cronRequirement = (): readonly Requirement[] => {
  const version = installedPostgres();
  if (version === undefined) return [];
  return [
    {
      debianPackage: `postgresql-${version}-cron`,
      purpose: "jobs of a database that a recovery keeps still",
      isThere: () => existsSync(join("/usr/lib/postgresql", version, "lib/pg_cron.so")),
    },
  ];
};

const requirements: readonly Requirement[] = [
  {
    debianPackage: "postgresql",
    purpose: "database server and client programs",
    isThere: () => installedPostgres() !== undefined && isOnPath("psql"),
  },
  { debianPackage: "haproxy", purpose: "proxy in front of the shop", isThere: () => isOnPath("haproxy") },
  { debianPackage: "restic", purpose: "independent reader of our vaults", isThere: () => isOnPath("restic") },
  { debianPackage: "mariadb-server", purpose: "the other database server", isThere: () => isOnPath("mariadbd") },
  { debianPackage: "mariadb-backup", purpose: "its physical backups", isThere: () => isOnPath("mariadb-backup") },
  { debianPackage: "sqlite3", purpose: "independent reader of databases", isThere: () => isOnPath("sqlite3") },
  { debianPackage: "age", purpose: "independent reader of escrow bundles", isThere: () => isOnPath("age-keygen") },
  { debianPackage: "openssh-server", purpose: "server of vaults over SFTP", isThere: () => isOnPath("sshd") },
  { debianPackage: "openssh-client", purpose: "keys and configuration of SSH", isThere: () => isOnPath("ssh-keygen") },
  { debianPackage: "ceph-mon", purpose: "server of vaults in buckets", isThere: () => isOnPath("ceph-mon") },
  { debianPackage: "ceph-mgr", purpose: "the same: its manager", isThere: () => isOnPath("ceph-mgr") },
  { debianPackage: "ceph-osd", purpose: "the same: its storage", isThere: () => isOnPath("ceph-osd") },
  { debianPackage: "ceph-common", purpose: "the same: its tools", isThere: () => isOnPath("ceph") },
  { debianPackage: "radosgw", purpose: "the same: its S3 gateway", isThere: () => isOnPath("radosgw") },
  { debianPackage: "etcd-server", purpose: "a store of settings that is recovered", isThere: () => isOnPath("etcd") },
  { debianPackage: "etcd-client", purpose: "its command line", isThere: () => isOnPath("etcdctl") },
  { debianPackage: "xfsprogs", purpose: "file system that is frozen", isThere: () => isOnPath("mkfs.xfs") },
  { debianPackage: "btrfs-progs", purpose: "file system with snapshots", isThere: () => isOnPath("mkfs.btrfs") },
  { debianPackage: "redis-server", purpose: "a cache that is recovered", isThere: () => isOnPath("redis-server") },
  { debianPackage: "podman", purpose: "containers that are provisioned", isThere: () => isOnPath("podman") },
  { debianPackage: "runc", purpose: "what podman runs them by", isThere: () => isOnPath("runc") },
  {
    debianPackage: "busybox-static",
    purpose: "the one program inside",
    // The package `busybox` has the same program, which needs libraries.
    isThere: () => existsSync("/usr/share/doc/busybox-static"),
  },
  {
    debianPackage: "qemu-system-x86",
    purpose: "virtual machines that are provisioned",
    isThere: () => isOnPath("qemu-system-x86_64"),
  },
  { debianPackage: "qemu-utils", purpose: "their disks", isThere: () => isOnPath("qemu-img") },
  { debianPackage: "git", purpose: "repositories that are recovered", isThere: () => isOnPath("git") },
  { debianPackage: "bind9", purpose: "server of names that are switched", isThere: () => isOnPath("named") },
  { debianPackage: "nginx-light", purpose: "proxy that is switched", isThere: () => isOnPath("nginx") },
  { debianPackage: "pgbouncer", purpose: "pooler that is switched", isThere: () => isOnPath("pgbouncer") },
  { debianPackage: "iproute2", purpose: "addresses that are moved", isThere: () => isOnPath("ip") },
  {
    debianPackage: "iputils-arping",
    purpose: "who answers for them",
    // The package `arping` has a program of the same name with other options.
    isThere: () => existsSync("/usr/share/doc/iputils-arping"),
  },
  { debianPackage: "bind9-dnsutils", purpose: "its client for updates", isThere: () => isOnPath("nsupdate") },
  { debianPackage: "e2fsprogs", purpose: "locks of vaults in folders", isThere: () => isOnPath("chattr") },
  { debianPackage: "fuse3", purpose: "mounts of recovery points", isThere: () => isOnPath("fusermount3") },
  { debianPackage: "borgbackup", purpose: "to be raced by the vault's bench", isThere: () => isOnPath("borg") },
  {
    debianPackage: "pgbackrest",
    purpose: "to be raced by the databases' bench",
    isThere: () => isOnPath("pgbackrest"),
  },
  {
    debianPackage: "bubblewrap",
    purpose: "jail for the programs that a recovery runs",
    isThere: () => isOnPath("bwrap"),
  },
];

/** Nobody shall download a storage cluster to see the demo. What is not named here is for all. */
const onlyFor: ReadonlyMap<string, Purpose> = new Map([
  ["sqlite3", "tests"],
  ["xfsprogs", "tests"],
  ["btrfs-progs", "tests"],
  ["mariadb-server", "tests"],
  ["mariadb-backup", "tests"],
  ["age", "tests"],
  ["openssh-server", "tests"],
  ["openssh-client", "tests"],
  ["ceph-mon", "tests"],
  ["ceph-mgr", "tests"],
  ["ceph-osd", "tests"],
  ["ceph-common", "tests"],
  ["radosgw", "tests"],
  ["fuse3", "tests"],
  ["etcd-server", "tests"],
  ["etcd-client", "tests"],
  ["redis-server", "tests"],
  ["podman", "tests"],
  ["runc", "tests"],
  ["busybox-static", "tests"],
  ["qemu-system-x86", "tests"],
  ["qemu-utils", "tests"],
  ["git", "tests"],
  ["nginx-light", "tests"],
  ["pgbouncer", "tests"],
  ["iproute2", "tests"],
  ["iputils-arping", "tests"],
  ["bind9", "tests"],
  ["bind9-dnsutils", "tests"],
  ["borgbackup", "bench"],
  ["pgbackrest", "bench"],
]);

const missingRequirements = (wanted: Purpose): readonly Requirement[] =>
  [
    ...requirements.filter(({ debianPackage }) => (onlyFor.get(debianPackage) ?? wanted) === wanted),
    ...(wanted === "tests" ? cronRequirement() : []),
  ].filter(({ isThere }) => !isThere());

/** How to become root here: already, by sudo without a password, or not at all. */
const rootPrefix = (): readonly string[] | null => {
  if (process.getuid?.() === 0) return [];
  const sudo = spawnSync("sudo", ["-n", "true"], { stdio: "ignore" });
  return sudo.status === 0 ? ["sudo", "-n"] : null;
};

const explain = (missing: readonly Requirement[]): string =>
  missing.map((requirement) => `  ${requirement.debianPackage.padEnd(11)} ${requirement.purpose}`).join("\n");

/** What tests need that is no package of this machine: the kernel that they boot, and newer servers. */
const fetchForTests = (wanted: Purpose): void => {
  if (wanted !== "tests") return;
  const failure = fetchGuestKernel(rootPrefix());
  if (failure !== null) {
    process.stderr.write(`error program.missing: no kernel for tests of virtual machines: ${failure}\n`);
    process.exit(3);
  }
  fetchNewerPostgres();
};

/** Ends the process with exit code 3 when that cannot be done from here. @param inVain they were installed, and are still missing */
const installAll = (missing: readonly Requirement[], inVain: boolean): void => {
  const names = missing.map((requirement) => requirement.debianPackage);
  const refuse = (why: string): never => {
    process.stderr.write(
      `error program.missing: ${why}\n${explain(missing)}\nnext: sudo apt-get install --no-install-recommends ${names.join(" ")}\n`,
    );
    process.exit(3);
  };
  if (inVain) refuse("apt-get has installed these packages, and what they are needed for is not there");
  if (!isOnPath("apt-get")) refuse("this is not Debian or a relative; install these with your own package manager");
  const prefix = rootPrefix();
  if (prefix === null)
    refuse("these packages are missing, and there is neither root nor sudo without a password to install them");
  process.stderr.write(`installing ${names.join(", ")} (no service is started)\n`);
  const [program = "sh", ...args] = [
    ...(prefix ?? []),
    "sh",
    join(import.meta.dirname, "install-debian-packages.sh"),
    ...names,
  ];
  if (spawnSync(program, args, { stdio: ["ignore", 2, 2] }).status !== 0)
    refuse("apt-get could not install these packages; its own words are above");
};

/**
 * Ends the process with exit code 3 when something is missing that cannot be installed from here; returns otherwise.
 * Writes to standard error only.
 */
export const setUp = (wanted: Purpose): void => {
  // What the first round installs says by its version what else there is to be.
  for (let round = 1; ; round += 1) {
    const missing = missingRequirements(wanted);
    if (missing.length === 0) return fetchForTests(wanted);
    installAll(missing, round > 2);
  }
};

if (import.meta.main) {
  setUp("tests");
  process.stderr.write("all programs are there\n");
}
