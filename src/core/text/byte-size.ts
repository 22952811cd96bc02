/** Sizes as people write them: `500kB`, `5MB`, `1.5 GB`, `16MiB`. */

const factors: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** @returns undefined for what is no size, or not a whole byte */
export const parseByteSize = (text: string): number | undefined => {
  const found = /^(?<amount>\d+(?:\.\d+)?) ?(?<unit>[a-z]*)$/i.exec(text.trim())?.groups;
  const factor = factors[(found?.unit ?? "").toLowerCase()];
  if (found?.amount === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(found.amount) * factor);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
};
