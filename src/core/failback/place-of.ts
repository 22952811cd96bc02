/** Where a component stands, in words that tell two places apart, and by which way it is reached from here. */
import type { Outputs } from "../ports/driver.ts";

export type Place = {
  /** `shop at 127.0.0.1:5433`, `/srv/dr/uploads` */
  readonly where: string;
  readonly way: "connection" | "path" | "unknown";
};

const shown = (outputs: Outputs, name: string): string | undefined => {
  const output = outputs[name];
  return output === undefined || output.secret ? undefined : output.value;
};

/** Names of this machine are one. */
const plainAddress = (address: string): string => address.replace(/^(localhost|\[?::1\]?)(?=:|$)/, "127.0.0.1");

/** @param outputs of what stands behind the stable name */
export const placeOf = (component: string, outputs: Outputs): Place => {
  const path = shown(outputs, "path");
  if (path !== undefined) return { where: path, way: "path" };
  const address = shown(outputs, "address");
  const name = shown(outputs, "database") ?? shown(outputs, "name") ?? component;
  return address === undefined
    ? { where: name, way: "unknown" }
    : { where: `${name} at ${plainAddress(address)}`, way: "connection" };
};

export const describePlace = ({ where, way }: Place): string =>
  way === "connection" ? `${where}, by its connection` : way === "path" ? `${where}, a path of this machine` : where;
