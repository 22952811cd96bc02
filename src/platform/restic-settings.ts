/** What stock restic is told so that it reaches a vault as we do: what stands in the declaration beside the address and the secrets. */
import type { Declaration } from "../model/declaration.ts";

type Vault = Pick<Declaration["vault"], "s3" | "sshConfig">;

export type ResticSettings = {
  readonly environment: Readonly<Record<string, string>>;
  readonly options: readonly string[];
};

/** restic counts in KiB; a limit below one would be none. */
const kibibytes = (bytes: number): string => String(Math.max(1, Math.floor(bytes / 1024)));

export const resticSettings = (
  { s3, sshConfig }: Vault,
  downloadBytesPerSecond: number | undefined,
): ResticSettings => ({
  environment: {
    ...(s3?.profile === undefined ? {} : { AWS_PROFILE: s3.profile }),
    ...(s3?.region === undefined ? {} : { AWS_DEFAULT_REGION: s3.region }),
  },
  options: [
    ...(s3?.ca === undefined ? [] : ["--cacert", s3.ca]),
    ...(s3?.pathStyle === undefined ? [] : ["--option", `s3.bucket-lookup=${s3.pathStyle ? "path" : "dns"}`]),
    // restic splits it at blanks unless they are quoted.
    ...(sshConfig === undefined ? [] : ["--option", `sftp.args=-F "${sshConfig}"`]),
    ...(downloadBytesPerSecond === undefined ? [] : ["--limit-download", kibibytes(downloadBytesPerSecond)]),
  ],
});
