/**
 * OpenSSH's files of known hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): plain, hashed and wildcard names, `@revoked`. Certificates
 * (`@cert-authority`) are not read: their lines are passed over.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

export type HostKeyVerdict = "known" | "unknown" | "changed" | "revoked";

type KnownKey = { readonly type: string; readonly key: Buffer; readonly revoked: boolean };

/** As OpenSSH writes it, and as people compare it. */
export const keyFingerprint = (key: Uint8Array): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

const matchesHashed = (field: string, name: string): boolean => {
  const [, , salt = "", digest = ""] = field.split("|");
  const wanted = Buffer.from(digest, "base64");
  const got = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return wanted.length === got.length && timingSafeEqual(wanted, got);
};

const matchesPattern = (pattern: string, name: string): boolean =>
  new RegExp(
    `^${pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "i",
  ).test(name);

const matchesName = (field: string, name: string): boolean => {
  if (field.startsWith("|1|")) return matchesHashed(field, name);
  const patterns = field.split(",");
  if (patterns.some((pattern) => pattern.startsWith("!") && matchesPattern(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && matchesPattern(pattern, name));
};

const keysIn = (text: string, name: string): KnownKey[] =>
  text.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    if (line.trim() === "" || line.trimStart().startsWith("#")) return [];
    const marker = fields[0]?.startsWith("@") === true ? fields.shift() : undefined;
    const [names = "", type = "", key = ""] = fields;
    if (marker === "@cert-authority" || key === "" || !matchesName(names, name)) return [];
    return [{ type, key: Buffer.from(key, "base64"), revoked: marker === "@revoked" }];
  });

export class KnownHosts {
  readonly #keys: readonly KnownKey[];

  constructor(keys: readonly KnownKey[]) {
    this.#keys = keys;
  }

  /** Reads those of the files that are there. A host on another port than 22 is known as `[host]:port`. */
  static read(files: readonly string[], host: string, port: number): KnownHosts {
    const name = port === 22 ? host : `[${host}]:${port}`;
    return new KnownHosts(
      files.flatMap((file) => {
        try {
          return keysIn(readFileSync(file, "utf8"), name);
        } catch (error) {
          if (["ENOENT", "EACCES", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
          throw error;
        }
      }),
    );
  }

  /** The server is asked for a key of these types, or it may show one that nobody has noted. Empty if the host is unknown. */
  get types(): readonly string[] {
    return [...new Set(this.#keys.filter(({ revoked }) => !revoked).map(({ type }) => type))];
  }

  judge(key: Buffer): HostKeyVerdict {
    const same = this.#keys.filter((known) => known.key.equals(key));
    if (same.some(({ revoked }) => revoked)) return "revoked";
    if (same.length > 0) return "known";
    return this.types.length > 0 ? "changed" : "unknown";
  }
}
