/** What of a declared lock the vault's store does not keep: said at each capture, since a point looks the same with it and without. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { LockSupport } from "../ports/vault-locks.ts";

export type LockDoubt = { readonly message: string; readonly hint: string; readonly nextCommand: string };

/** @param support null without a declared lock @returns null when the lock is kept as declared */
export const lockDoubt = ({ name, lock }: ServiceDeclaration, support: LockSupport | null): LockDoubt | null => {
  if (lock === undefined || support === null) return null;
  const nextCommand = `refloat vault locks ${name}`;
  if (!support.locks) {
    return {
      message: `lock: is declared, and the point will not be locked: ${support.reason ?? "the store keeps no locks"}`,
      hint:
        support.keptBy === "file-system"
          ? "capture as root on a file system with the immutable flag, or keep the vault in a bucket with Object Lock"
          : "keep the vault in a bucket with Object Lock, which only whoever makes the bucket can switch on",
      nextCommand,
    };
  }
  if (support.keptBy !== "file-system" || lock.mode !== "compliance") return null;
  return {
    message: "lock: declares compliance, which a folder cannot keep: root can lift the lock",
    hint: "keep the vault in a bucket with Object Lock, or declare governance",
    nextCommand,
  };
};
