/** Reads `POINT[:component[:path]]`: what browse, diff, extract and mount are given. */
import { RefloatError } from "../../model/refloat-error.ts";

export type Place = {
  /** Id of a point or its beginning. */
  readonly point: string;
  readonly component: string | null;
  /** A file below the component's root, or a table; as it was typed. Null for the whole component. */
  readonly path: string | null;
};

/** A colon in a file's name is its own: only the first two part the words. @throws RefloatError usage */
export const parsePlace = (text: string): Place => {
  const [point = "", component = null, ...rest] = text.split(":");
  const path = rest.length === 0 ? null : rest.join(":");
  if (!/^[0-9a-fA-F]{4,64}$/.test(point) || component === "") {
    throw new RefloatError("usage", `"${text}" names no place in a recovery point`, {
      hint: "POINT, POINT:component or POINT:component:path, with at least four letters of the point's id; extract --at takes SERVICE in place of POINT",
      nextCommand: "refloat points",
    });
  }
  return { point: point.toLowerCase(), component, path: path === "" ? null : path };
};

export type ServicePlace = {
  readonly service: string;
  readonly component: string;
  readonly path: string | null;
};

/** `SERVICE:component[:path]`, where a moment says which point is meant. @throws RefloatError usage */
export const parseServicePlace = (text: string): ServicePlace => {
  const [service = "", component = "", ...rest] = text.split(":");
  if (service === "" || component === "")
    throw new RefloatError("usage", `"${text}" names no place in a service`, {
      hint: "with --at: SERVICE:component or SERVICE:component:path",
    });
  const path = rest.join(":");
  return { service, component, path: path === "" ? null : path };
};

/** As it can be typed again. */
export const formatPlace = ({ point, component, path }: Place): string =>
  [point, ...(component === null ? [] : [component]), ...(path === null ? [] : [path])].join(":");
