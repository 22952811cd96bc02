/** One thing that `validate --live` asked of a database, and what it found. */
import type { PreflightReport } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { isMountPoint } from "../mount-points.ts";

export type Finding = PreflightReport["findings"][number];

export const finding = (ok: boolean, subject: string, found: string, hint?: string): Finding =>
  ok || hint === undefined ? { ok, subject, found } : { ok, subject, found, hint };

/** What is wrong with it would stop a capture, and no recovery. */
export const ofCapture = (found: Finding): Finding => (found.ok ? found : { ...found, only: "capture" });

/** An error of ours is a finding like any other; what is none is a mistake of ours. */
export const failure = (subject: string, error: unknown): Finding => {
  if (!(error instanceof RefloatError)) throw error;
  const { hint, nextCommand } = error;
  return { ...finding(false, subject, error.message, hint), ...(nextCommand === undefined ? {} : { nextCommand }) };
};

/** What stands behind a stable path changes its name at a switch, which a mount point cannot. */
export const mountFindings = async (stable: string): Promise<readonly Finding[]> =>
  (await isMountPoint(stable))
    ? [
        finding(
          false,
          stable,
          "a mount point: it can be captured, but not switched",
          "keep the data in a folder inside the mount, and declare that one",
        ),
      ]
    : [];

export const listed = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
