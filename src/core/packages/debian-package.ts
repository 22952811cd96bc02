/** What is known of a package that is installed, or lies in an archive. */

export type DebianPackage = {
  /** `libvips42`, without architecture. */
  readonly name: string;
  readonly version: string;
  /** `amd64`, `all`. */
  readonly architecture: string;
  /** `Pre-Depends` and `Depends`, joined by a comma. */
  readonly depends: string;
  /** `Pre-Depends` alone: what has to be configured before it is unpacked. */
  readonly preDepends?: string | undefined;
  readonly provides: string;
  /** `Conflicts` and `Breaks`, joined by a comma. */
  readonly conflicts?: string | undefined;
};

export type InstalledPackage = DebianPackage & {
  /** As dpkg says it: `installed`, `unpacked`, `config-files`. */
  readonly status: string;
  /** dpkg knows it to be broken: it must be installed again before anything else can be done with it. */
  readonly mustReinstall: boolean;
  readonly essential: boolean;
};

/** Begun and not finished, as a dpkg that was killed leaves it. */
export const isHalfInstalled = ({ status, mustReinstall }: InstalledPackage): boolean =>
  mustReinstall || status === "unpacked" || status === "half-configured" || status === "half-installed";

/** Its files are there and configured, be triggers of others still waited for or not. */
export const isInstalled = (one: InstalledPackage): boolean =>
  !isHalfInstalled(one) && ["installed", "triggers-awaited", "triggers-pending"].includes(one.status);

/** A package of one architecture is another one than that of the next. */
export const packageKey = ({ name, architecture }: Pick<DebianPackage, "name" | "architecture">): string =>
  `${name}:${architecture}`;

/** `libvips42 8.14.1-3 (amd64)`. */
export const describePackage = ({ name, version, architecture }: DebianPackage): string =>
  `${name} ${version} (${architecture})`;
