/** What does not act behind the names of a service since a recovery has put it there, as it is now. */
import type { DisarmedComponent } from "../../model/arming.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { RunRecord } from "../../model/run.ts";
import { askInTime } from "../components/ask-in-time.ts";
import { withComponents } from "../components/component-access.ts";
import type { Workbench } from "../ports/workbench.ts";
import { servingRun } from "./serving-run.ts";

export type Disarmed = {
  readonly disarmed: readonly DisarmedComponent[];
  /** Components of which that cannot be told, and why. */
  readonly undisclosed: readonly { readonly component: string; readonly problem: string }[];
};

/** Asked only where a run has put something behind a name. @param runs of the service, newest first */
export const readDisarmed = (
  bench: Workbench,
  {
    service,
    runs,
    signal,
  }: { readonly service: ServiceDeclaration; readonly runs: readonly RunRecord[]; readonly signal: AbortSignal },
): Promise<Disarmed> => {
  const switched = Object.keys(service.components).filter((component) => servingRun(runs, component) !== null);
  const disarmed: DisarmedComponent[] = [];
  const undisclosed: { component: string; problem: string }[] = [];
  const options = { service, locate: () => null, marker: `refloat/status/${service.name}`, signal };
  if (switched.length === 0) return Promise.resolve({ disarmed, undisclosed });
  return withComponents(bench, options, async (access) => {
    for (const component of switched) {
      try {
        const items = await askInTime(
          access,
          component,
          signal,
          async (context) => (await access.driver(component).arming?.disarmed(context)) ?? [],
        );
        if (items.length > 0) disarmed.push({ component, items: [...items] });
      } catch (error) {
        signal.throwIfAborted();
        const { code, message } = toRefloatError(error);
        if (code === "bug") throw error;
        undisclosed.push({ component, problem: message });
      }
    }
    return { disarmed, undisclosed };
  });
};
