/** Starts a server that does not put itself into the background: apart from all that is ours, so that it goes on by itself. */
import type { DriverContext } from "../../core/ports/driver.ts";
import { type Owner, runAsOwner } from "./folder-owner.ts";

/** TMPDIR is of whoever runs Refloat: the server's user may not be let in there, and the server outlives it. */
const startLine = 'unset TMPDIR && cd "$1" && log=$2 && shift 2 && { setsid "$@" >> "$log" 2>&1 < /dev/null & }';

/** @param folder that it begins in @param log that what it says is added to; relative to the folder, or absolute */
export const startApart = async (
  context: Pick<DriverContext, "service" | "component" | "signal" | "marker">,
  owner: Owner,
  { folder, log, words }: { readonly folder: string; readonly log: string; readonly words: readonly string[] },
): Promise<void> => {
  await runAsOwner(context, owner, ["/bin/sh", "-c", startLine, "sh", folder, log, ...words]);
};
