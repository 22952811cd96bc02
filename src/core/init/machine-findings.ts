/**
 * What `refloat init` found on a machine: facts only, no values of variables but those whose meaning was recognised, no passwords.
 * Gathered by platform/discover, turned into a proposal by `propose-services.ts`.
 */

export type FoundDatabase = { readonly name: string; readonly owner: string; readonly sizeBytes: number };

export type FoundPostgres = {
  readonly port: number;
  /** Folder of its Unix socket; null when it has none that can be seen. */
  readonly socketDirectory: string | null;
  /** Does it accept TCP connections on loopback? */
  readonly tcp: boolean;
  readonly version: string | null;
  /** Without templates and without `postgres` unless it holds tables; null when it could not be asked. */
  readonly databases: readonly FoundDatabase[] | null;
  /** The role that a url without a user would log in as, when the server has none of that name. */
  readonly missingRole: string | null;
  /** Why it could not be asked, and what would help. */
  readonly problem: { readonly found: string; readonly hint: string } | null;
};

/** What a variable of a running process turned out to mean. `unknown`: only its name is told. */
export type VariableMeaning =
  | { readonly kind: "port" }
  | {
      readonly kind: "database";
      readonly form: "url" | "jdbc";
      readonly host: string;
      readonly port: number;
      readonly database: string;
      readonly user: string | null;
      readonly hasPassword: boolean;
    }
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "unknown" };

export type FoundProcess = {
  readonly pid: number;
  readonly user: string | null;
  /** Name of the program: `node`. */
  readonly program: string;
  /** Command line; an argument that looks like a secret is `***`. */
  readonly words: readonly string[];
  readonly workingDirectory: string | null;
  /** A link that leads to the working directory, such as /srv/shop/current: the stable name of its release. */
  readonly releaseLink: string | null;
  readonly ports: readonly number[];
  /** Null when they may not be read. */
  readonly variables: readonly { readonly name: string; readonly meaning: VariableMeaning }[] | null;
  /** Ports on this machine that it holds connections to. */
  readonly connectsTo: readonly number[];
  readonly systemdUnit: string | null;
};

export type FoundHaproxy = {
  readonly pid: number;
  readonly configFile: string;
  /** Null when the configuration could not be read. */
  readonly config: HaproxyConfig | null;
  readonly systemdUnit: string | null;
};

export type HaproxyConfig = {
  /** Path of a socket whose level is admin. */
  readonly adminSocket: string | null;
  /** Addresses that users reach: `127.0.0.1:8080`. */
  readonly binds: readonly { readonly host: string; readonly port: number }[];
  readonly servers: readonly {
    readonly backend: string;
    readonly server: string;
    readonly host: string;
    readonly port: number;
  }[];
};

export type MachineFindings = {
  readonly hostname: string;
  readonly postgres: readonly FoundPostgres[];
  readonly processes: readonly FoundProcess[];
  readonly haproxy: readonly FoundHaproxy[];
  /** Ports that something listens on: what is not free. */
  readonly takenPorts: readonly number[];
  /** What was seen and cannot be proposed, and what could not be seen. For people. */
  readonly gaps: readonly string[];
};
