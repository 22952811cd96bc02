/** Waits for notifications that are on their way, and tells of those that did not arrive. */
import type { Workbench } from "../core/ports/workbench.ts";
import type { Output } from "./output.ts";

export const tellUndelivered = async ({ notifier }: Workbench, output: Output): Promise<void> => {
  for (const { target, event, problem } of await notifier.settle())
    if (problem !== null)
      output.note(`${event} was not told to ${target}: ${problem}\n  what was done is not touched by that`);
};
