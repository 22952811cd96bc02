/** Counts and compares positions of one line of a log. */
import { RefloatError } from "../../model/refloat-error.ts";

const pattern = /^(?<high>[0-9A-F]{1,8})\/(?<low>[0-9A-F]{1,8})$/i;

/** How many bytes of the line lie before it. @param position `0/3000060` */
export const bytesBefore = (position: string): bigint => {
  const { high, low } = pattern.exec(position)?.groups ?? {};
  if (high === undefined || low === undefined) throw new RefloatError("bug", `"${position}" is no position of a log`);
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};

export const positionAfter = (bytes: bigint): string =>
  `${(bytes >> 32n).toString(16).toUpperCase()}/${(bytes & 0xffff_ffffn).toString(16).toUpperCase()}`;

export const comparePositions = (a: string, b: string): number => {
  const [one, other] = [bytesBefore(a), bytesBefore(b)];
  return one < other ? -1 : one > other ? 1 : 0;
};

/** Sixteen digits, so that names sort as positions do. */
export const positionName = (position: string): string => bytesBefore(position).toString(16).padStart(16, "0");
