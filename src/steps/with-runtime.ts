/** A step's way to an application: its runtime operations in the context that the step must see. */
import type { ComponentAccess } from "../core/components/component-access.ts";
import type { DriverContext, Outputs, RuntimeOperations } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type Action, type StepParts, type StepView, withStep } from "./step-bench.ts";

export type RuntimeContext = StepContext<Action<"try" | "migrate" | "fence" | "start">>;

export type RuntimeAccess = {
  readonly runtime: RuntimeOperations;
  readonly driverContext: DriverContext;
  readonly access: ComponentAccess;
};

export const withRuntime = <Result>(
  parts: StepParts,
  context: RuntimeContext,
  act: (application: RuntimeAccess) => Promise<Result>,
  view?: StepView,
): Promise<Result> =>
  withStep(
    parts,
    context,
    async (access) => {
      const { component } = context.action;
      const { runtime } = access.driver(component);
      if (runtime === undefined) throw new RefloatError("bug", `${component} does not run, yet the plan starts it`);
      return act({ runtime, driverContext: await access.context(component), access });
    },
    view,
  );

/** @throws RefloatError source.failed where a release that is to be kept is gone */
export const keptRelease = async ({
  runtime,
  driverContext,
}: RuntimeAccess): Promise<{ readonly path: string; readonly label: string }> => {
  const release = await runtime.liveRelease(driverContext);
  if (release !== null) return release;
  throw new RefloatError(
    "source.failed",
    `the release of ${driverContext.component}, which is to be kept, is not there`,
    {
      hint: `recover it too: --only names ${driverContext.component}`,
    },
  );
};

/** Where a process of ours answers, as outputs that its own environment and checks bind to. */
export const ownOutputs = (component: string, port: number | null, release: string): ReadonlyMap<string, Outputs> => {
  if (port === null) return new Map();
  const address = `127.0.0.1:${port}`;
  const plain = (value: string) => ({ value, secret: false });
  const outputs = {
    port: plain(String(port)),
    address: plain(address),
    url: plain(`http://${address}`),
    path: plain(release),
  };
  return new Map([[component, outputs]]);
};
