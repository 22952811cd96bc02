/** Instants in nanoseconds since 1970, and their text as Go's RFC 3339 with nanoseconds writes them. */

const billion = 1_000_000_000n;
const pattern = /^(?<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,9})\d*)?(?<zone>Z|[+-]\d\d:\d\d)$/;
/** Go refuses to write years of other than four digits, and restic moves such times to the nearest it can. */
const earliestNs = -62_167_219_200n * billion;
const latestNs = 253_402_300_799n * billion + 999_999_999n;

/** Always in UTC, so that equal trees have equal ids whatever the time zone of the machine. */
export const formatGoTime = (ns: bigint): string => {
  const clamped = ns < earliestNs ? earliestNs : ns > latestNs ? latestNs : ns;
  const rest = ((clamped % billion) + billion) % billion;
  const seconds = new Date(Number((clamped - rest) / 1_000_000n)).toISOString().slice(0, 19);
  const fraction = rest === 0n ? "" : `.${rest.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${seconds}${fraction}Z`;
};

/** @returns undefined if it is no such text */
export const parseGoTime = (text: string): bigint | undefined => {
  const found = pattern.exec(text)?.groups;
  if (found === undefined) return undefined;
  const seconds = Date.parse(`${found.date}${found.zone}`);
  if (Number.isNaN(seconds)) return undefined;
  return BigInt(seconds) * 1_000_000n + BigInt((found.fraction ?? "").padEnd(9, "0"));
};
