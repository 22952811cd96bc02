/**
 * A systemd scope of its own for what shall outlive Refloat: where Refloat runs in a unit, the end of that unit ends all that is in its control
 * group. A scope is made around the program as it is started, so its environment and output are told to nobody.
 */
import { existsSync } from "node:fs";

/** Words before the program that put it into a scope; none where systemd does not run this machine, or would not let us. */
export const scopeWords = (description: string): readonly string[] =>
  process.getuid?.() === 0 && existsSync("/run/systemd/system")
    ? ["systemd-run", "--scope", "--quiet", "--collect", `--description=${description}`, "--"]
    : [];
