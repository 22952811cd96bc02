/** Does a file's name fit what was typed: a name, a path, or a pattern of either. */
import picomatch from "picomatch";
import { lossyText, showName } from "../text/shown-name.ts";

/** A pattern with a slash is held against the whole path below the component, one without against the last name. */
export const namePattern = (typed: string): ((path: Uint8Array) => boolean) => {
  const pattern = typed.replace(/^\/+/, "");
  const fits = picomatch.scan(pattern).isGlob
    ? picomatch(pattern, { dot: true })
    : (text: string): boolean => text === pattern;
  const wholePath = pattern.includes("/");
  return (path) => {
    const bytes = wholePath ? path : path.subarray(path.lastIndexOf(0x2f) + 1);
    return fits(lossyText(bytes)) || fits(showName(bytes));
  };
};
