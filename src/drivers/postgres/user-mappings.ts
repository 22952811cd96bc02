/** User mappings of foreign servers carry passwords in their DDL; none of it may enter a point. */
import { type TocEntry, redefine } from "./archive-toc.ts";

const optionPattern = /(?<name>"(?:[^"]|"")+"|[A-Za-z_]\w*)\s+(?<prefix>E?)'(?:[^']|'')*'/g;

/** What the other server calls the user; everything else (password, key, token) is emptied. */
const openOptions = new Set(["user", "username"]);

/** @returns the definition with all options but the user emptied */
export const redactUserMapping = (definition: string): string => {
  const options = definition.indexOf("OPTIONS (");
  if (options < 0) return definition;
  return (
    definition.slice(0, options) +
    definition
      .slice(options)
      .replaceAll(optionPattern, (option, name: string) =>
        openOptions.has(name.replaceAll('"', "").toLowerCase()) ? option : `${name} ''`,
      )
  );
};

/** @returns the entries without secrets, and the tags of those that lost some */
export const withoutMappingSecrets = (
  entries: readonly TocEntry[],
): { readonly entries: readonly TocEntry[]; readonly redacted: readonly string[] } => {
  const redacted: string[] = [];
  const clean = entries.map((entry) => {
    if (entry.kind !== "USER MAPPING") return entry;
    const definition = redactUserMapping(entry.definition);
    if (definition === entry.definition) return entry;
    redacted.push(entry.tag);
    return redefine(entry, definition);
  });
  return { entries: clean, redacted };
};
