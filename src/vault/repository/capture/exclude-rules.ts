/** Which entries a walk leaves out: the syntax of .gitignore, by the library that linters and packagers use for it. */
import ignore from "ignore";
import { readableText } from "../format/go-text.ts";

export type ExcludeRules = {
  /** @param relative raw path below the root of the walk */
  readonly excludes: (relative: Uint8Array, isFolder: boolean) => boolean;
};

/** @returns undefined where nothing is left out */
export const compileExcludes = (patterns: readonly string[]): ExcludeRules | undefined => {
  if (patterns.length === 0) return undefined;
  let rules = ignore().add([...patterns]);
  let asked = 0;
  return {
    excludes: (relative, isFolder) => {
      asked += 1;
      // The library remembers every path it was asked about: forgetting now and then bounds that.
      if (asked % 10_000 === 0) rules = ignore().add([...patterns]);
      return rules.ignores(readableText(relative) + (isFolder ? "/" : ""));
    },
  };
};
