/** What the demo says while it goes on: to standard output, or to standard error when standard output is for JSON. */
import { writeSync } from "node:fs";

export type Screen = {
  /** One line with the time of day in front. */
  readonly event: (message: string, at?: Date) => void;
  readonly line: (message: string) => void;
  /** File descriptor for the screens of programs that are run. */
  readonly descriptor: 1 | 2;
};

export const timeOfDay = (at: Date): string => at.toTimeString().slice(0, 8);

export const createScreen = (json: boolean): Screen => {
  const descriptor = json ? 2 : 1;
  const line = (message: string): void => {
    try {
      writeSync(descriptor, `${message}\n`);
    } catch (error) {
      // A reader that went away (`| head`) must not end the demo in the middle of its servers.
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
    }
  };
  return { line, event: (message, at = new Date()) => line(`${timeOfDay(at)}  ${message}`), descriptor };
};

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)}s`;

export const count = (value: number): string => value.toLocaleString("en");
