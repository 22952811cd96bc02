/** Fingerprint: what an application ran on when it was captured, compared with the target before a restore. */
import { z } from "zod";

/** Names as Debian Policy 5.6.1 and 5.6.12 allow them: a name in a point is a word on a command line and part of a path later. */
const packageNameSchema = z.string().regex(/^[a-z0-9][a-z0-9+.-]*$/);
const packageVersionSchema = z.string().regex(/^[0-9][0-9A-Za-z.+:~-]*$/);
const architectureSchema = z.string().regex(/^[a-z0-9][a-z0-9-]*$/);

/** One package of the fingerprint, or one that those need, and its archive in the component's snapshot. */
export const packageArchiveSchema = z.object({
  name: packageNameSchema,
  version: packageVersionSchema,
  architecture: architectureSchema,
  depends: z.string(),
  preDepends: z.string().optional(),
  provides: z.string(),
  conflicts: z.string().optional(),
  /** Absent: it could not be got, and `lacking` says why. */
  archive: z
    .object({
      /** Path in the snapshot. */
      file: z.string(),
      sha256: z.string(),
      sizeBytes: z.int().nonnegative(),
      /** Where it was got: from apt's cache, made again of the installed files, from a registry. */
      from: z.enum(["cache", "files", "registry"]),
    })
    .optional(),
  lacking: z.string().optional(),
  /** What a person is to know of it: files that differ from those that the package brought. */
  notes: z.array(z.string()),
});
export type PackageArchive = z.infer<typeof packageArchiveSchema>;

export const fingerprintSchema = z.object({
  os: z.object({ id: z.string(), version: z.string(), kernel: z.string(), architecture: z.string() }),
  /** Shared libraries that the component's binaries load, by absolute path, with the package that owns each. */
  libraries: z.array(z.object({ path: z.string(), package: z.string().optional(), sha256: z.string().optional() })),
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
  /** Of `packages: captured`: those packages and all that they need. */
  archives: z.array(packageArchiveSchema).optional(),
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
  /** Of a package: the point has its archive. */
  readonly inPoint?: true;
  /** The entry of `provision:` that a recovery would settle it by. */
  readonly settledBy?: string;
};
