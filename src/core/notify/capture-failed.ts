/** What is told of a capture that made no point. */
import type { Notification } from "../../model/notification.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { Workbench } from "../ports/workbench.ts";

/** @returns null for what the person who typed it has to mend: a name, the file */
export const captureFailed = (
  { clock, host }: Pick<Workbench, "clock" | "host">,
  service: string,
  error: unknown,
): Notification | null => {
  const { message, state, hint, nextCommand, entry } = toRefloatError(error);
  if (entry.exit === 2) return null;
  return {
    schema: "refloat/notification/v1",
    event: "capture-failed",
    at: clock.now().toISOString(),
    service,
    host: host.hostname,
    title: `the capture of ${service} failed`,
    message: [message, state, hint].filter((part) => part !== undefined).join("; "),
    next: nextCommand ?? `refloat validate --live ${service}`,
    run: null,
    state: null,
  };
};
