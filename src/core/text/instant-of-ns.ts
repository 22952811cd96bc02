/** Instants of the vault, in nanoseconds since 1970, as ISO 8601 with as many digits as they have. */

const billion = 1_000_000_000n;
/** What a Date can hold; a forged entry may say anything. */
const farthestSecond = 8_640_000_000_000;

export const instantOfNs = (ns: bigint): string => {
  let second = Number(ns / billion);
  let rest = Number(ns % billion);
  if (rest < 0) {
    rest += 1e9;
    second -= 1;
  }
  const clamped = Math.max(-farthestSecond, Math.min(farthestSecond, second));
  const text = new Date(clamped * 1000).toISOString().replace(/\.000Z$/, "");
  return rest === 0 ? `${text}Z` : `${text}.${String(rest).padStart(9, "0").replace(/0+$/, "")}Z`;
};
