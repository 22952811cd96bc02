/**
 * One SSH connection with one SFTP channel. Verifies the host's key before anything is sent, fails every request that is under way when the
 * connection is lost, and never connects a second time: that is its owner's business.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Duplex } from "node:stream";
import type { AnyAuthMethod, Client, ConnectConfig, ParsedKey, SFTPWrapper, ServerHostKeyAlgorithm } from "ssh2";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { KnownHosts, keyFingerprint } from "../../../../platform/known-hosts.ts";
import type { SshSettings } from "../../../../platform/ssh-settings.ts";
import { describeSystemError } from "../../../../platform/system-error.ts";

const connectTimeoutMs = 20_000;
/** A peer that is gone without a word is noticed after three of these. */
const keepAliveMs = 15_000;

export const unreachable = (place: string, what: string, cause: unknown): RefloatError =>
  new RefloatError("vault.unreachable", `${place} ${what}`, {
    cause,
    state: "nothing half written is visible in the vault",
    hint: "look at the network and at the server's sshd, then do the same again",
  });

/** A key of type ssh-rsa signs by one of these; the old way with SHA-1 is not accepted. */
const algorithmsOf = (type: string): readonly string[] =>
  type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type];

const supported = new Set([
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
]);

/** The ways in, in the order in which they are tried; keys that are locked by a passphrase are left to the agent. */
const waysIn = (
  settings: SshSettings,
  parseKey: (key: Buffer) => ParsedKey | readonly ParsedKey[] | Error,
): { readonly ways: AnyAuthMethod[]; readonly locked: readonly string[] } => {
  const ways: AnyAuthMethod[] = [];
  const locked: string[] = [];
  for (const file of settings.identityFiles) {
    let key: Buffer;
    try {
      key = readFileSync(file);
    } catch (error) {
      locked.push(`${file} (${describeSystemError(error)})`);
      continue;
    }
    const parsed = parseKey(key);
    if (parsed instanceof Error) locked.push(`${file} (${parsed.message})`);
    else ways.push({ type: "publickey", username: settings.user, key });
  }
  if (settings.agent !== undefined) ways.push({ type: "agent", username: settings.user, agent: settings.agent });
  return { ways, locked };
};

const throughProxy = (command: string): Duplex => {
  const child = spawn("sh", ["-c", `exec ${command}`], { stdio: ["pipe", "pipe", "ignore"] });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  child.on("error", (error) => stream.destroy(error));
  stream.on("close", () => child.kill());
  return stream;
};

export class SshSession {
  readonly sftp: SFTPWrapper;
  readonly #client: Client;
  readonly #place: string;
  readonly #pending = new Set<(error: unknown) => void>();
  #lost: RefloatError | undefined;

  private constructor(client: Client, sftp: SFTPWrapper, place: string) {
    this.#client = client;
    this.sftp = sftp;
    this.#place = place;
    client.on("error", (error) => this.#lose(error));
    client.on("close", () => this.#lose(undefined));
    sftp.on("close", () => this.#lose(undefined));
    sftp.on("error", (error: unknown) => this.#lose(error));
  }

  /** @throws RefloatError vault.unreachable, vault.denied, vault.untrusted-server, vault.unsupported */
  static async connect(settings: SshSettings): Promise<SshSession> {
    const { default: ssh } = await import("ssh2");
    const place = `${settings.user}@${settings.host}:${settings.port}`;
    const known = KnownHosts.read(settings.knownHostsFiles, settings.keyName, settings.port);
    const { ways, locked } = waysIn(settings, (key) => ssh.utils.parseKey(key));
    const types = known.types.flatMap(algorithmsOf).filter((type) => supported.has(type));
    let distrust: RefloatError | undefined;
    const config: ConnectConfig = {
      host: settings.host,
      port: settings.port,
      username: settings.user,
      ...(settings.proxyCommand === undefined ? {} : { sock: throughProxy(settings.proxyCommand) }),
      ...(settings.agent === undefined ? {} : { agent: settings.agent }),
      authHandler: ways,
      readyTimeout: connectTimeoutMs,
      keepaliveInterval: keepAliveMs,
      keepaliveCountMax: 3,
      ...(types.length === 0 ? {} : { algorithms: { serverHostKey: types as ServerHostKeyAlgorithm[] } }),
      hostVerifier: (key: Buffer): boolean => {
        distrust = distrustOf(known.judge(key), key, settings);
        return distrust === undefined;
      },
    };
    const client = new ssh.Client();
    const end = Promise.withResolvers<never>();
    end.promise.catch(() => undefined);
    client.on("error", end.reject);
    client.on("close", () => end.reject(new Error("the connection was closed")));
    try {
      const ready = Promise.withResolvers<void>();
      client.once("ready", ready.resolve);
      client.connect(config);
      // Without it each small request waits 40 ms for the answer to the one before.
      client.setNoDelay(true);
      await Promise.race([ready.promise, end.promise]);
      const channel = Promise.withResolvers<SFTPWrapper>();
      client.sftp((error, opened) => (error === undefined ? channel.resolve(opened) : channel.reject(error)));
      const sftp = await Promise.race([channel.promise, end.promise]);
      return new SshSession(client, sftp, place);
    } catch (error) {
      client.destroy();
      throw distrust ?? connectFailure(error, { settings, place, locked, tried: ways.length });
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Sends one request. @throws RefloatError vault.unreachable; what the server answers as ssh2 gives it */
  async request<Answer = void>(
    send: (sftp: SFTPWrapper, done: (error?: Error | null, answer?: Answer) => void) => unknown,
  ): Promise<Answer> {
    if (this.#lost !== undefined) throw this.#lost;
    return new Promise<Answer>((resolve, reject) => {
      this.#pending.add(reject);
      const settle = (error: unknown, answer?: Answer): void => {
        if (!this.#pending.delete(reject)) return;
        if (error === undefined || error === null) resolve(answer as Answer);
        else reject(error);
      };
      try {
        send(this.sftp, settle);
      } catch (error) {
        // ssh2 throws at once for an extension that the server did not offer.
        settle(error);
      }
    });
  }

  close(): void {
    this.#client.end();
    this.#lose(undefined);
  }

  #lose(cause: unknown): void {
    if (this.#lost !== undefined) return;
    this.#lost = unreachable(this.#place, "is gone: the connection was lost", cause);
    this.#client.destroy();
    for (const reject of this.#pending) reject(this.#lost);
    this.#pending.clear();
  }
}

const distrustOf = (
  verdict: ReturnType<KnownHosts["judge"]>,
  key: Buffer,
  { host, port, knownHostsFiles, sshCommand, keyName }: SshSettings,
): RefloatError | undefined => {
  if (verdict === "known") return undefined;
  const print = keyFingerprint(key);
  const file = knownHostsFiles[0] ?? "~/.ssh/known_hosts";
  const words = {
    unknown: {
      message: `is in no file of known hosts; it shows the key ${print}`,
      hint: `compare that with what the server's administrator says; ssh asks, and notes it in ${file}`,
      nextCommand: sshCommand,
    },
    changed: {
      message: `shows another key than the one that is noted for it: ${print}`,
      hint: "somebody may stand between; if the server was set up anew, forget its old key and connect once with ssh",
      nextCommand: `ssh-keygen -R '${port === 22 ? keyName : `[${keyName}]:${port}`}' -f ${file}`,
    },
    revoked: {
      message: `shows a key that was revoked: ${print}`,
      hint: "whoever has it is not your server; ask its administrator",
    },
  }[verdict];
  const { message, ...advice } = words;
  return new RefloatError("vault.untrusted-server", `the server ${host}:${port} ${message}`, {
    ...advice,
    context: { host, port, fingerprint: print },
    state: "nothing was sent to it",
  });
};

const connectFailure = (
  error: unknown,
  about: {
    readonly settings: SshSettings;
    readonly place: string;
    readonly locked: readonly string[];
    readonly tried: number;
  },
): RefloatError => {
  const { settings, place, locked, tried } = about;
  const { level, message } = error as Error & { readonly level?: string };
  if (level === "client-authentication") {
    const left = locked.length === 0 ? "" : `; not usable: ${locked.join(", ")}`;
    return new RefloatError(
      "vault.denied",
      tried === 0
        ? `there is no key to log in with as ${place}${left}`
        : `${place} accepts none of the ${tried === 1 ? "one way" : `${tried} ways`} to log in that were tried${left}`,
      {
        cause: error,
        state: "nothing was changed",
        hint: "a key file without a passphrase, or one that ssh-agent holds, lets in; passwords are not asked for",
        nextCommand: `${settings.sshCommand} true`,
      },
    );
  }
  if (/host key format|host key algorithm/i.test(message)) {
    return new RefloatError(
      "vault.untrusted-server",
      `the server ${settings.host}:${settings.port} has no key of the kind that is noted for it`,
      {
        cause: error,
        state: "nothing was sent to it",
        hint: "its keys were changed, or somebody stands between; connect once with ssh to see",
        nextCommand: settings.sshCommand,
      },
    );
  }
  if (/subsystem|exec/i.test(message) && level === undefined) {
    return new RefloatError("vault.unsupported", `${place} offers no SFTP`, {
      cause: error,
      hint: "its sshd_config needs the line `Subsystem sftp internal-sftp`",
    });
  }
  return unreachable(place, `does not answer: ${describeSystemError(error)}`, error);
};
