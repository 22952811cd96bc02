/** Where a row leads, what a level lies in, and what a file that is made of it is called. */
import { shortId } from "../../model/identifiers.ts";
import { type ExactPlace, joinPath } from "../granular/open-place.ts";
import { isText, lossyText, showName } from "../text/shown-name.ts";
import type { BrowserLevel, BrowserRow } from "./browser-state.ts";

const root = new Uint8Array();

/** @returns null for a row that leads nowhere */
export const placeOfRow = ({ place }: BrowserLevel, row: BrowserRow): ExactPlace | null => {
  switch (row.kind) {
    case "component":
      return { point: place.point, component: row.captured.name, inside: root };
    case "table":
      return { ...place, inside: { table: row.table.name } };
    case "entry":
      return { ...place, inside: place.inside instanceof Uint8Array ? joinPath(place.inside, row.entry.name) : root };
    case "version":
      return { ...place, point: row.points[0] ?? place.point };
    case "fact":
      return null;
    default:
      return row satisfies never;
  }
};

/** @returns null for a whole point */
export const placeAbove = (place: ExactPlace): ExactPlace | null => {
  const { component, inside } = place;
  if (component === null) return null;
  if (!(inside instanceof Uint8Array)) return { ...place, inside: root };
  if (inside.length === 0) return { ...place, component: null };
  return { ...place, inside: inside.subarray(0, Math.max(0, inside.lastIndexOf(0x2f))) };
};

/** Its row in what it lies in. */
export const rowName = ({ component, inside }: ExactPlace): string => {
  if (!(inside instanceof Uint8Array)) return showName(Buffer.from(inside.table));
  return inside.length === 0 ? (component ?? "") : showName(lastName(inside));
};

const lastName = (path: Uint8Array): Uint8Array => path.subarray(path.lastIndexOf(0x2f) + 1);

/**
 * The name of a file or folder that it is extracted to. Its own where that is text; else as it is shown, since a path that is typed or printed is text.
 * A table may be called anything, a slash included.
 */
export const extractName = ({ component, inside }: ExactPlace): string => {
  if (!(inside instanceof Uint8Array)) return `${showName(Buffer.from(inside.table)).replaceAll("/", "_")}.csv`;
  if (inside.length === 0) return component ?? "";
  const name = lastName(inside);
  return isText(name) ? lossyText(name) : showName(name);
};

/** Several versions of one file may go to one folder. */
export const extractVersionName = (place: ExactPlace): string => `${shortId(place.point)}-${extractName(place)}`;
