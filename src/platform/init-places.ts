/** Where `refloat init` proposes to keep the vault and its password, and how it makes a password that nobody has thought of. */
import { randomBytes } from "node:crypto";
import { access, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "./atomic-file.ts";

export type InitPlaces = { readonly vault: string; readonly passwordFile: string };

export const proposedPlaces = (): InitPlaces =>
  process.getuid?.() === 0
    ? { vault: "/var/backups/refloat/vault", passwordFile: "/etc/refloat/password" }
    : {
        vault: join(homedir(), "refloat-vault"),
        passwordFile: join(process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "refloat", "password"),
      };

/** 160 random bits in a form that can be read over the phone. @returns false if there is a file already; it is left as it is */
export const makePasswordFile = async (path: string): Promise<boolean> => {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there) return false;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const groups = randomBytes(20).toString("hex").match(/.{8}/g) ?? [];
  await writeFileAtomically(path, `${groups.join("-")}\n`);
  return true;
};
