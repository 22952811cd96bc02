/**
 * The two inner loops that JavaScript runs too slowly: the Poly1305 one-time authenticator and the Rabin fingerprint of
 * restic's chunker. Bytes come in through one staging area; state lives in globals, so one instance serves one thread.
 */
export { authenticate, authenticator, beginAuthenticator, endAuthenticator } from "./poly1305";
export { findBoundary, setPolynomial } from "./rabin";
import { STAGING, STAGING_BYTES } from "./staging";

export function stagingOffset(): usize {
  return STAGING;
}

export function stagingBytes(): i32 {
  return STAGING_BYTES;
}
