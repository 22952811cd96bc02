/** One key of a captured store in one line, with a name that can be typed again. */
import type { CapturedKey } from "../core/ports/captured-keys.ts";
import { formatBytes } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { formatTime } from "./clock-times.ts";
import { padEnd, padStart } from "./fit-text.ts";
import type { Screen } from "./screen.ts";

/** `db1/user:42`: as it is typed behind the component. */
export const keyName = ({ prefix, key }: Pick<CapturedKey, "prefix" | "key">): string => prefix + showName(key);

/** @param now ISO */
export const keyLine = (key: CapturedKey, now: string, { timeZone }: Screen): string => {
  const ends = key.expiresAt === null ? "" : ` until ${formatTime(key.expiresAt, now, timeZone)}`;
  const lease = key.lease === undefined ? "" : ` (lease ${key.lease})`;
  return `${padEnd(key.type, 6)}  ${padStart(formatBytes(key.sizeBytes), 8)}  ${keyName(key)}${ends}${lease}`;
};
