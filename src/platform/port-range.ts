/** Ports that a component may listen on, as they are declared: `8081` or `8081-8082`. */
import { z } from "zod";

/** More than a few would be looked at one by one for nothing. */
const maximumPorts = 64;

const readRange = (text: string): readonly number[] | null => {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const from = Number(first);
  const to = Number(last ?? first);
  const isRange = from >= 1 && to <= 65_535 && from <= to && to - from < maximumPorts;
  return isRange ? Array.from({ length: to - from + 1 }, (_, index) => from + index) : null;
};

export const portRangeSchema = z.union([
  z.int().min(1).max(65_535),
  z.string().refine((text) => readRange(text) !== null, "write a port or a range, such as 8081-8082"),
]);

export const portsIn = (declared: z.infer<typeof portRangeSchema>): readonly number[] =>
  readRange(String(declared)) ?? [];
