/** Could a declared line be run? Reads it as the shell does and looks for what it begins with. Runs it not. */
import { shellWord } from "../core/text/shell-word.ts";
import { type ShellLineOptions, lastLine, runShellLine } from "./shell-line.ts";

/** What a line begins with, behind variables that it sets; null where only the shell can tell. */
const firstWord = (line: string): string | null =>
  /^\s*(?:[A-Za-z_]\w*=(?:"[^"$`]*"|'[^']*'|[^\s"'$`;&|()]*)\s+)*([\w./+-]+)(?=$|[\s;&|)])/.exec(line)?.[1] ?? null;

/** @returns what is wrong with it; null when nothing is seen to be */
export const lineFault = async (line: string, options: ShellLineOptions): Promise<string | null> => {
  const read = await runShellLine(`/bin/sh -n -c ${shellWord(line)}`, options);
  if (read.exitCode !== 0) return `the shell cannot read it: ${lastLine(read.output)}`;
  const word = firstWord(line);
  if (word === null) return null;
  const found = await runShellLine(`command -v ${shellWord(word)}`, options);
  return found.exitCode === 0 ? null : `there is no program ${word}`;
};
