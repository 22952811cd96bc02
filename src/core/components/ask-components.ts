/** Whether what is live of a service answers at all, component by component: the least that can be asked, beside any probe and check. */
import type { ErrorCode } from "../../model/error-catalogue.ts";
import type { SilentComponent } from "../../model/outcome.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { ComponentAccess } from "./component-access.ts";

/** Any other error is of who asks, or of what is asked: a right that is missing, a lock that is held. */
const ofTheDown: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["source.unreachable", "source.failed"]);

/** @returns null where it answers, and where it has nobody who could */
export const askComponent = async (
  access: ComponentAccess,
  component: string,
  signal: AbortSignal,
): Promise<SilentComponent | null> => {
  try {
    const { runtime, reach } = access.driver(component);
    if (runtime !== undefined) {
      const live = await runtime.live(await access.context(component));
      return live === null ? { component, isDown: true, found: "does not run" } : null;
    }
    await reach?.(await access.context(component));
    return null;
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = toRefloatError(error);
    if (code === "bug") throw error;
    return { component, isDown: ofTheDown.has(code), found: message };
  }
};

/** All at once: one that is waited for in vain keeps none of the others. */
export const askComponents = async (
  access: ComponentAccess,
  components: readonly string[],
  signal: AbortSignal,
): Promise<readonly SilentComponent[]> =>
  (await Promise.all(components.map((component) => askComponent(access, component, signal)))).filter(
    (silent) => silent !== null,
  );
