/** What an S3 server's answer, or its silence, means to a person. */
import { RefloatError } from "../../../../model/refloat-error.ts";

type Thrown = {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly Code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
};

const thrown = (error: unknown): Thrown => (typeof error === "object" && error !== null ? error : {});

const codeOf = (error: unknown): string => {
  const { name, code, Code } = thrown(error);
  return Code ?? (name === undefined || name === "Error" || name === "UnknownError" ? (code ?? "unknown") : name);
};

export const statusOf = (error: unknown): number | undefined => thrown(error).$metadata?.httpStatusCode;

/** There is no such object, or no such version of it; not: there is no such bucket. */
export const isMissing = (error: unknown): boolean =>
  ["NoSuchKey", "NoSuchVersion", "NotFound"].includes(codeOf(error)) ||
  (statusOf(error) === 404 && codeOf(error) !== "NoSuchBucket");

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean => codes.includes(codeOf(error));

const silentCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "TimeoutError",
]);

const fullCodes = new Set(["QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"]);

const nothingCommitted = "nothing was committed; what was written stays unreferenced until it is pruned";

export type S3FailureOptions = {
  /** As a person would write it. */
  readonly location: string;
  readonly bucket: string;
  readonly host: string;
  /** What was tried, as in `write data/3f`. */
  readonly act: string;
};

type Words = { readonly code: "vault.denied" | "vault.store-failed"; readonly what: string; readonly hint: string };

/** Answers that need a person, by S3's own names for them. */
const refusals: Readonly<Record<string, Words>> = {
  InvalidAccessKeyId: {
    code: "vault.denied",
    what: "does not know the access key",
    hint: "look at vault.s3.accessKeyId, AWS_ACCESS_KEY_ID and the profile",
  },
  SignatureDoesNotMatch: {
    code: "vault.denied",
    what: "refuses the signature: the secret does not belong to the access key",
    hint: "look at vault.s3.secretAccessKey, AWS_SECRET_ACCESS_KEY and the profile",
  },
  ExpiredToken: {
    code: "vault.denied",
    what: "says that the session token has expired",
    hint: "get new credentials; a profile or a role renews them by itself",
  },
  InvalidToken: {
    code: "vault.denied",
    what: "does not take the session token",
    hint: "look at vault.s3.sessionToken and AWS_SESSION_TOKEN",
  },
  RequestTimeTooSkewed: {
    code: "vault.denied",
    what: "says that this machine's clock is wrong by more than a quarter of an hour",
    hint: "set the clock, by NTP for good",
  },
  CredentialsProviderError: {
    code: "vault.denied",
    what: "cannot be asked without credentials, and there are none",
    hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or vault.s3 in refloat.yaml",
  },
  PermanentRedirect: {
    code: "vault.store-failed",
    what: "keeps the bucket in another region",
    hint: "name it in vault.s3.region or AWS_REGION",
  },
  AuthorizationHeaderMalformed: {
    code: "vault.store-failed",
    what: "keeps the bucket in another region than the one that was named",
    hint: "name it in vault.s3.region or AWS_REGION",
  },
};

export const s3Failure = (error: unknown, options: S3FailureOptions): RefloatError => {
  if (error instanceof RefloatError) return error;
  const { location, bucket, host, act } = options;
  const code = codeOf(error);
  const status = statusOf(error);
  const context = { act, code, status: status ?? null };
  const said = thrown(error).message ?? code;
  const refusal = refusals[code === "RequestExpired" || code === "ExpiredTokenException" ? "ExpiredToken" : code];
  if (refusal !== undefined) {
    const { what, hint } = refusal;
    return new RefloatError(refusal.code, `the vault's server ${host} ${what}`, { cause: error, context, hint });
  }
  if (code === "NoSuchBucket") {
    return new RefloatError("vault.not-found", `there is no bucket ${bucket} at ${host}`, {
      cause: error,
      context,
      hint: "check the name, or make it, with Object Lock if points are to be locked",
    });
  }
  if (fullCodes.has(code) || status === 507) {
    return new RefloatError("vault.no-space", `the vault at ${location} is full`, {
      cause: error,
      context,
      state: nothingCommitted,
      hint: "raise the bucket's quota, or prune the vault",
    });
  }
  if (status === 401 || status === 403) {
    return new RefloatError("vault.denied", `the vault at ${location} does not let us ${act}: ${code}`, {
      cause: error,
      context,
      hint: act.startsWith("remove")
        ? "the file is locked, or these credentials have no right to delete"
        : "the credentials lack a right; docs/vault-stores.md says which are needed",
    });
  }
  const silent = [code, thrown(error).code ?? ""].find((name) => silentCodes.has(name));
  if (silent !== undefined || (status ?? 0) >= 500) {
    const tries = thrown(error).$metadata?.attempts;
    const after = tries === undefined || tries < 2 ? "" : ` (${tries} tries)`;
    return new RefloatError(
      "vault.unreachable",
      silent === undefined
        ? `the vault's server ${host} cannot ${act} now: ${status} ${code}${after}`
        : `the vault's server ${host} does not answer: ${silent === code ? code : `${code}, ${silent}`}${after}`,
      {
        cause: error,
        context,
        state: nothingCommitted,
        hint: "the same call may succeed later; nothing is lost by repeating it",
      },
    );
  }
  return new RefloatError("vault.store-failed", `the vault at ${location} failed to ${act}: ${code}`, {
    cause: error,
    context: { ...context, said },
  });
};
