/** A reporter of vitest that writes down what no test has caught: its JSON report names only tests and files, and such an error belongs to none. */
import { writeFileSync } from "node:fs";
import type { Reporter } from "vitest/node";

/** Of the environment: where to. */
export const unhandledPath = "UNHANDLED_ERRORS";

export default class UnhandledErrors implements Reporter {
  onTestRunEnd(...[, errors]: Parameters<NonNullable<Reporter["onTestRunEnd"]>>): void {
    const path = process.env[unhandledPath];
    if (path !== undefined) writeFileSync(path, JSON.stringify(errors.map(({ message }) => message)));
  }
}
