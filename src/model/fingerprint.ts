/** Fingerprint: what an application ran on when it was captured, compared with the target before a restore. */
import { z } from "zod";

export const fingerprintSchema = z.object({
  os: z.object({ id: z.string(), version: z.string(), kernel: z.string(), architecture: z.string() }),
  /** Shared libraries that the component's binaries load, by absolute path, with the package that owns each. */
  libraries: z.array(z.object({ path: z.string(), package: z.string().optional(), sha256: z.string().optional() })),
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
  /** Names of environment variables with a keyed digest of each value, never a value. */
  environment: z.array(z.object({ name: z.string(), digest: z.string() })),
  /** The locale that its process asked for, such as `de_DE.UTF-8`; absent where it asked for none, and in points of older versions. */
  locale: z.string().optional(),
  /** Certificates that its environment names: by absolute path, with the moment at which each ends. */
  certificates: z.array(z.object({ path: z.string(), validTo: z.iso.datetime() })).optional(),
});
export type Fingerprint = z.infer<typeof fingerprintSchema>;

/** One difference between a captured fingerprint and the machine that a restore would run on. */
export type FingerprintDifference = {
  readonly subject: string;
  readonly captured: string;
  readonly target: string | null;
  readonly severity: "missing" | "differs";
  /** What ran there will hardly run here: a library or package that is not there, another architecture, a certificate that has ended. */
  readonly stops?: true;
};
