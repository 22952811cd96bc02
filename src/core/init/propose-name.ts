/** Names for what was found: from folders and databases, in the form that a declaration takes. */
import { nameSchema } from "../../model/identifiers.ts";
import type { FoundProcess } from "./machine-findings.ts";

/** Lower case, digits, - and _; `x` when nothing of it is left. */
export const slug = (text: string): string => {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .replace(/-+$/, "")
    .slice(0, 60);
  return nameSchema.safeParse(name).success ? name : "x";
};

/** The name itself, or with a number; it is taken afterwards. */
export const freeName = (wanted: string, taken: Set<string>): string => {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}${number}`;
  taken.add(name);
  return name;
};

/** Folders that say nothing of the service that lives in them. */
const generalFolders =
  /^(|current|live|releases?|versions?|app|application|web|www|html|server|backend|api|src|dist|build|bin|lib|opt|srv|var|home|usr|local|share|tmp|root|data|v?\d[\w.-]*)$/i;

/** `/srv/shop/releases/2.5.0` is shop's. */
export const serviceName = (processes: readonly FoundProcess[], database: string | undefined): string => {
  const folders = processes.flatMap(({ releaseLink, workingDirectory }) =>
    (releaseLink ?? workingDirectory ?? "").split("/").reverse(),
  );
  const telling = folders.find((folder) => !generalFolders.test(folder));
  return slug(telling ?? database ?? processes[0]?.program ?? "service");
};
