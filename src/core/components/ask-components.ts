/** Whether what is live of a service answers at all, component by component: the least that can be asked, beside any probe and check. */
import pLimit from "p-limit";
import type { ErrorCode } from "../../model/error-catalogue.ts";
import type { SilentComponent } from "../../model/outcome.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { ComponentAccess } from "./component-access.ts";

/** Any other error is of who asks, or of what is asked: a right that is missing, a lock that is held. */
const ofTheDown: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["source.unreachable", "source.failed"]);

/** One that is stopped in the middle takes a connection, and says nothing on it. */
const answerMs = 10_000;

/** Each may be a connection to the same server, which has few for its users, or a process of ours. */
const askedAtOnce = 8;

/** @returns null where it answers, and where it has nobody who could */
export const askComponent = async (
  access: ComponentAccess,
  component: string,
  signal: AbortSignal,
): Promise<SilentComponent | null> => {
  const limit = AbortSignal.timeout(answerMs);
  try {
    const { runtime, reach } = access.driver(component);
    const context = { ...(await access.context(component)), signal: AbortSignal.any([signal, limit]) };
    if (runtime !== undefined) {
      const live = await runtime.live(context);
      return live === null ? { component, isDown: true, found: "does not run" } : null;
    }
    await reach?.(context);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return { component, isDown: true, found: `no answer within ${answerMs / 1_000} s` };
    const { code, message } = toRefloatError(error);
    if (code === "bug") throw error;
    return { component, isDown: ofTheDown.has(code), found: message };
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
