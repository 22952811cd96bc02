/** Whether what is live of a service answers at all, component by component: the least that can be asked, beside any probe and check. */
import pLimit from "p-limit";
import type { ErrorCode } from "../../model/error-catalogue.ts";
import type { SilentComponent } from "../../model/outcome.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import { askInTime } from "./ask-in-time.ts";
import type { StoppedServer } from "../ports/driver.ts";
import type { ComponentAccess } from "./component-access.ts";
import { nullWhenDown } from "./null-when-down.ts";
import { startAgainWords } from "./stopped-server.ts";

/** Any other error is of who asks, or of what is asked: a right that is missing, a lock that is held. */
const ofTheDown: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["source.unreachable", "source.failed"]);

/** Each may be a connection to the same server, which has few for its users, or a process of ours. */
const askedAtOnce = 8;

/** Processes and files of this machine alone are looked at: what cannot be told of them says nothing. */
const stoppedOf = (access: ComponentAccess, component: string, signal: AbortSignal): Promise<StoppedServer | null> =>
  nullWhenDown(signal, async () => {
    const { stopped } = access.driver(component).switching;
    return (await stopped?.(await access.context(component))) ?? null;
  });

/** @returns null where it answers, and where it has nobody who could */
export const askComponent = async (
  access: ComponentAccess,
  component: string,
  signal: AbortSignal,
): Promise<SilentComponent | null> => {
  try {
    return await askInTime(access, component, signal, async (context) => {
      const { runtime, reach } = access.driver(component);
      if (runtime === undefined) await reach?.(context);
      else if ((await runtime.live(context)) === null) return { component, isDown: true, found: "does not run" };
      return null;
    });
  } catch (error) {
    signal.throwIfAborted();
    const { code, message, context } = toRefloatError(error);
    if (code === "bug") throw error;
    // Who takes a connection and says nothing runs, if only where it is not seen from here.
    const stopped =
      code === "source.unreachable" && context["isSilent"] !== true ? await stoppedOf(access, component, signal) : null;
    if (stopped === null) return { component, isDown: ofTheDown.has(code), found: message };
    const { start } = stopped;
    const found = `${message}; ${startAgainWords(stopped)}`;
    return { component, isDown: true, found, ...(start === null ? {} : { start }) };
  }
};

/** Some at once: one that is waited for in vain keeps few of the others. @returns in the order of the names */
export const askComponents = async (
  access: ComponentAccess,
  components: readonly string[],
  signal: AbortSignal,
): Promise<readonly SilentComponent[]> => {
  const limit = pLimit(askedAtOnce);
  const answers = await limit.map(components, (component) => askComponent(access, component, signal));
  return answers.filter((silent) => silent !== null);
};
