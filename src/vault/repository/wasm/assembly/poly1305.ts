/**
 * Poly1305 (RFC 8439, 2.5) over the ring of 2^130 - 5, with limbs of 32 bits: r is clamped, so the four products of a column and
 * their carries fit in 64 bits, and r_i * 5/4 is exact for i > 0.
 */
import { STAGING } from "./staging";

const MASK: u64 = 0xffffffff;

let r0: u64 = 0;
let r1: u64 = 0;
let r2: u64 = 0;
let r3: u64 = 0;
let h0: u64 = 0;
let h1: u64 = 0;
let h2: u64 = 0;
let h3: u64 = 0;
let h4: u64 = 0;
const pad: usize = memory.data(16, 16);
const result: usize = memory.data(16, 16);
const last: usize = memory.data(16, 16);

/** The staging area begins with the 32 bytes of the one-time key: r, then s. */
export function beginAuthenticator(): void {
  r0 = <u64>load<u32>(STAGING, 0) & 0x0fffffff;
  r1 = <u64>load<u32>(STAGING, 4) & 0x0ffffffc;
  r2 = <u64>load<u32>(STAGING, 8) & 0x0ffffffc;
  r3 = <u64>load<u32>(STAGING, 12) & 0x0ffffffc;
  memory.copy(pad, STAGING + 16, 16);
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;
  h4 = 0;
}

function absorb(from: usize, end: usize, top: u64): void {
  // In locals: a global is read from memory each time.
  const k0 = r0;
  const k1 = r1;
  const k2 = r2;
  const k3 = r3;
  const s1 = k1 + (k1 >> 2);
  const s2 = k2 + (k2 >> 2);
  const s3 = k3 + (k3 >> 2);
  let b0 = h0;
  let b1 = h1;
  let b2 = h2;
  let b3 = h3;
  let b4 = h4;
  for (let at = from; at < end; at += 16) {
    b0 += <u64>load<u32>(at, 0);
    b1 += <u64>load<u32>(at, 4);
    b2 += <u64>load<u32>(at, 8);
    b3 += <u64>load<u32>(at, 12);
    b4 += top;
    const d0 = b0 * k0 + b1 * s3 + b2 * s2 + b3 * s1;
    let d1 = b0 * k1 + b1 * k0 + b2 * s3 + b3 * s2 + b4 * s1;
    let d2 = b0 * k2 + b1 * k1 + b2 * k0 + b3 * s3 + b4 * s2;
    let d3 = b0 * k3 + b1 * k2 + b2 * k1 + b3 * k0 + b4 * s3;
    let d4 = b4 * k0;
    d1 += d0 >> 32;
    d2 += d1 >> 32;
    d3 += d2 >> 32;
    d4 += d3 >> 32;
    b0 = (d0 & MASK) + (d4 >> 2) * 5;
    b1 = (d1 & MASK) + (b0 >> 32);
    b0 &= MASK;
    b2 = d2 & MASK;
    b3 = d3 & MASK;
    b4 = d4 & 3;
  }
  h0 = b0;
  h1 = b1;
  h2 = b2;
  h3 = b3;
  h4 = b4;
}

/** Takes `length` bytes of the staging area. Only the last call of a message may have a length that is no multiple of 16. */
export function authenticate(length: i32): void {
  const whole = length & ~15;
  absorb(STAGING, STAGING + whole, 1);
  const rest = length - whole;
  if (rest > 0) {
    memory.fill(last, 0, 16);
    memory.copy(last, STAGING + whole, rest);
    store<u8>(last + rest, 1);
    absorb(last, last + 16, 0);
  }
}

/** Leaves the tag where `authenticator` says. */
export function endAuthenticator(): void {
  let carry = h0 >> 32;
  h0 &= MASK;
  h1 += carry;
  carry = h1 >> 32;
  h1 &= MASK;
  h2 += carry;
  carry = h2 >> 32;
  h2 &= MASK;
  h3 += carry;
  carry = h3 >> 32;
  h3 &= MASK;
  h4 += carry;
  // h + 5 reaches 2^130 exactly when h >= 2^130 - 5, and then its low 128 bits are those of the reduced number.
  let g0 = h0 + 5;
  let g1 = h1 + (g0 >> 32);
  let g2 = h2 + (g1 >> 32);
  let g3 = h3 + (g2 >> 32);
  const g4 = h4 + (g3 >> 32);
  if (g4 >= 4) {
    h0 = g0 & MASK;
    h1 = g1 & MASK;
    h2 = g2 & MASK;
    h3 = g3 & MASK;
  }
  g0 = h0 + <u64>load<u32>(pad, 0);
  g1 = h1 + <u64>load<u32>(pad, 4) + (g0 >> 32);
  g2 = h2 + <u64>load<u32>(pad, 8) + (g1 >> 32);
  g3 = h3 + <u64>load<u32>(pad, 12) + (g2 >> 32);
  store<u32>(result, <u32>g0, 0);
  store<u32>(result, <u32>g1, 4);
  store<u32>(result, <u32>g2, 8);
  store<u32>(result, <u32>g3, 12);
}

export function authenticator(): usize {
  return result;
}
