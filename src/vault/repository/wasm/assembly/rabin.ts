/**
 * Rabin fingerprint of a sliding window of 64 bytes modulo a polynomial of degree 53 over GF(2), as restic's chunker computes it.
 * The fingerprint depends on the window alone, so four stretches of the input are searched side by side: one stretch is a chain of
 * dependent table look-ups, and the processor would wait for each.
 */
import { LEAVE, REDUCE, STAGING } from "./staging";

const DEGREE: u64 = 53;
const SHIFT: u64 = DEGREE - 8;
const WINDOW: i32 = 64;
const SPLIT_MASK: u64 = (1 << 20) - 1;
/** Positions that one lane searches in a round. */
const LANE: i32 = 4096;

/*
 * The table REDUCE has for each byte b: b * x^53 mod P, with b << 53 added so that XOR also clears the bits above the degree; LEAVE: what
 * the oldest byte of the window contributes once the window has moved on.
 */

function modulo(value: u64, polynomial: u64): u64 {
  while (value >> DEGREE != 0) {
    value ^= polynomial << (63 - clz(value) - DEGREE);
  }
  return value;
}

export function setPolynomial(polynomial: u64): void {
  for (let b: u64 = 0; b < 256; b++) {
    store<u64>((<usize>b) << 3, modulo(b << DEGREE, polynomial) | (b << DEGREE), REDUCE);
    let h = modulo(b, polynomial);
    for (let i = 0; i < WINDOW; i++) h = modulo(h << 8, polynomial);
    store<u64>((<usize>b) << 3, h, LEAVE);
  }
}

function append(digest: u64, byte: u64): u64 {
  return (digest << 8) ^ byte ^ load<u64>((<usize>(digest >> SHIFT)) << 3, REDUCE);
}

function slide(digest: u64, at: usize): u64 {
  return append(digest, <u64>load<u8>(at)) ^ load<u64>((<usize>load<u8>(at - WINDOW)) << 3, LEAVE);
}

/** Fingerprint of the window that ends before `end`. */
function fingerprint(end: usize): u64 {
  let digest: u64 = 0;
  for (let at = end - WINDOW; at < end; at++) digest = append(digest, <u64>load<u8>(at));
  return digest;
}

function search(from: i32, to: i32): i32 {
  let digest = fingerprint(STAGING + from);
  if ((digest & SPLIT_MASK) == 0) return from;
  for (let end = from + 1; end <= to; end++) {
    digest = slide(digest, STAGING + end - 1);
    if ((digest & SPLIT_MASK) == 0) return end;
  }
  return -1;
}

/**
 * @param length bytes in the staging area, at least 64
 * @returns the smallest end (64 to `length`) of a window whose fingerprint has its low 20 bits zero, or -1
 */
export function findBoundary(length: i32): i32 {
  let end = WINDOW;
  while (length - end >= 4 * LANE) {
    let a = STAGING + end;
    let d0 = fingerprint(a);
    let d1 = fingerprint(a + LANE);
    let d2 = fingerprint(a + 2 * LANE);
    let d3 = fingerprint(a + 3 * LANE);
    const stop = a + LANE;
    let hit = false;
    for (; a < stop; a++) {
      // One branch for four lanes, without short circuits: a mispredicted one would cost more than the look-ups.
      // Without its high bits a digest of zero alone becomes negative.
      if (
        <i64>(((d0 & SPLIT_MASK) - 1) | ((d1 & SPLIT_MASK) - 1) | ((d2 & SPLIT_MASK) - 1) | ((d3 & SPLIT_MASK) - 1)) < 0
      ) {
        hit = true;
        break;
      }
      d0 = slide(d0, a);
      d1 = slide(d1, a + LANE);
      d2 = slide(d2, a + 2 * LANE);
      d3 = slide(d3, a + 3 * LANE);
    }
    if (hit) {
      // A later lane may have found one first: the earlier lanes are searched to their ends before it counts.
      return search(end, end + 4 * LANE - 1);
    }
    end += 4 * LANE;
  }
  return search(end, length);
}
