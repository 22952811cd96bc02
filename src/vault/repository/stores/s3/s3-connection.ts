/**
 * One client of one bucket: credentials, addressing, time limits, and how many requests run at once. The SDK is loaded with the first
 * request, since it takes longer to load than most commands take. Repeats what may be repeated: the SDK does, with growing and random
 * pauses, until an answer begins; `readBody` goes on where a body broke off.
 */
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { S3, S3ClientConfig } from "@aws-sdk/client-s3";
import pLimit from "p-limit";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { environmentRegion } from "../../../../platform/aws-environment.ts";
import type { S3Settings } from "../store-settings.ts";
import { isMissing, s3Failure } from "./s3-failure.ts";
import { formatS3Location, isAmazon, parseS3Location, regionOfEndpoint } from "./s3-location.ts";

/** How long a server is waited for. */
export type S3Patience = {
  readonly attempts: number;
  readonly connectMs: number;
  /** Without a single byte. */
  readonly idleMs: number;
};

/** Short: who decorates the store tries again for a minute. */
const defaultPatience: S3Patience = { attempts: 3, connectMs: 10_000, idleMs: 60_000 };
const defaultConnections = 10;
const firstPauseMs = 100;
const longestPauseMs = 5_000;

export class S3Connection {
  readonly location: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly #endpoint: URL;
  readonly #settings: S3Settings;
  readonly #patience: S3Patience;
  readonly #limit: ReturnType<typeof pLimit>;
  #client: Promise<S3> | undefined;

  /** @throws RefloatError vault.unsupported */
  constructor(location: string, settings: S3Settings = {}, patience: S3Patience = defaultPatience) {
    const place = parseS3Location(location);
    this.location = formatS3Location(place);
    this.bucket = place.bucket;
    this.prefix = place.prefix;
    this.#endpoint = place.endpoint;
    this.#settings = settings;
    this.#patience = patience;
    this.#limit = pLimit(settings.connections ?? defaultConnections);
  }

  /**
   * @param act what is tried, as in `write data/3f`
   * @param missing what to throw if there is no such object
   * @throws RefloatError vault.*
   */
  async act<Result>(act: string, call: (s3: S3) => Promise<Result>, missing?: () => RefloatError): Promise<Result> {
    return this.#limit(async () => {
      try {
        return await call(await (this.#client ??= this.#connect()));
      } catch (error) {
        if (missing !== undefined && isMissing(error)) throw missing();
        throw s3Failure(error, { location: this.location, bucket: this.bucket, host: this.#endpoint.host, act });
      }
    });
  }

  /**
   * Reads a body whole, and goes on behind the last byte when the connection breaks.
   * @param open asks for the bytes from `at` on
   * @param take is given each piece in order
   * @throws what the server said last
   */
  async readBody(
    open: (at: number) => Promise<AsyncIterable<Uint8Array>>,
    take: (piece: Uint8Array) => void,
  ): Promise<void> {
    let at = 0;
    for (let failures = 0; ;) {
      // What the server refuses is not asked again: the SDK has done so where it helps.
      const body = await open(at);
      try {
        for await (const piece of body) {
          take(piece);
          at += piece.length;
          failures = 0;
        }
        return;
      } catch (error) {
        failures += 1;
        if (failures >= this.#patience.attempts) throw error;
        await delay(randomInt(Math.min(longestPauseMs, firstPauseMs * 2 ** failures)) + 1);
      }
    }
  }

  async close(): Promise<void> {
    (await this.#client?.catch(() => undefined))?.destroy();
  }

  async #connect(): Promise<S3> {
    const sdk = await import("@aws-sdk/client-s3");
    return new sdk.S3(await this.#configuration());
  }

  async #configuration(): Promise<S3ClientConfig> {
    const { profile, region, pathStyle, ca, connections = defaultConnections } = this.#settings;
    const { attempts, connectMs, idleMs } = this.#patience;
    const amazon = isAmazon(this.#endpoint);
    const agent = {
      keepAlive: true,
      maxSockets: connections,
      ...(ca === undefined ? {} : { ca: await readAuthority(ca) }),
    };
    const named = region ?? regionOfEndpoint(this.#endpoint) ?? environmentRegion();
    return {
      // At AWS the SDK finds the address by the region, and follows the bucket to another one.
      ...(amazon ? { followRegionRedirects: true } : { endpoint: this.#endpoint.href }),
      forcePathStyle: pathStyle ?? !amazon,
      ...(named === undefined && amazon && profile !== undefined ? {} : { region: named ?? "us-east-1" }),
      ...(profile === undefined ? {} : { profile }),
      ...this.#credentials(),
      retryMode: "standard",
      maxAttempts: attempts,
      // Only what a server must have: those before 2024 do not understand the SDK's trailing checksums. We send our own.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: {
        connectionTimeout: connectMs,
        socketTimeout: idleMs,
        httpAgent: agent,
        httpsAgent: agent,
      },
    };
  }

  #credentials(): Pick<S3ClientConfig, "credentials"> {
    const { accessKeyId, secretAccessKey, sessionToken } = this.#settings;
    if (accessKeyId === undefined && secretAccessKey === undefined) return {};
    if (accessKeyId === undefined || secretAccessKey === undefined) {
      throw new RefloatError(
        "vault.denied",
        "vault.s3 has one half of the credentials: a key without its secret, or a secret without its key",
        {
          hint: "give accessKeyId and secretAccessKey, or neither",
        },
      );
    }
    return {
      credentials: {
        accessKeyId,
        secretAccessKey: secretAccessKey.reveal(),
        ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal() }),
      },
    };
  }
}

const readAuthority = async (path: string): Promise<string> => {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new RefloatError(
      "vault.store-failed",
      `the certificate authority ${path} cannot be read: ${code ?? "unknown"}`,
      {
        cause: error,
        hint: "look at vault.s3.ca",
      },
    );
  }
};
