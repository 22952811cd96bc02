/** Which components a request recovers, and which kept ones must be bound anew because of it. */
import { shortId } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ComponentOrder } from "./component-order.ts";
import type { LiveComponent, RecoveryInput } from "./planner-input.ts";

export type Scope = {
  /** In order of recovery. */
  readonly recovered: readonly string[];
  /** Kept components that run and depend on recovered ones, in order of recovery. */
  readonly rebound: readonly string[];
  /** The rest: neither touched nor restarted. */
  readonly kept: readonly string[];
  /** Declared today and not in the point, for the warnings; empty when the request names components. */
  readonly uncaptured: readonly string[];
};

/** @throws RefloatError component.unknown, point.damaged, plan.impossible */
export const resolveScope = (input: RecoveryInput, order: ComponentOrder): Scope => {
  const { service, point, request } = input;
  const declared = order.names;
  const captured = point.manifest.components;
  const only = request.only === undefined ? undefined : new Set(request.only);
  for (const name of only ?? []) {
    if (!declared.includes(name)) {
      throw new RefloatError("component.unknown", `service ${service.name} has no component "${name}"`, {
        hint: `there are ${declared.join(", ")}`,
      });
    }
    if (captured[name] === undefined) {
      throw new RefloatError("plan.impossible", `point ${shortId(point.id)} has nothing of ${name}`, {
        state: "nothing was changed",
        hint: `it has ${Object.keys(captured).join(", ")}`,
        nextCommand: `refloat points ${service.name}`,
      });
    }
  }
  const recovered = declared.filter((name) => captured[name] !== undefined && (only === undefined || only.has(name)));
  const isRecovered = new Set(recovered);
  // A runbook of manual steps has nothing to restore and all to do.
  if (recovered.length === 0 && declared.length > 0) {
    throw new RefloatError("plan.impossible", `nothing of ${service.name} would be recovered`, {
      state: "nothing was changed",
      hint: `point ${shortId(point.id)} has ${Object.keys(captured).join(", ") || "no component"}; declared are ${declared.join(", ")}`,
    });
  }
  const lost = recovered.filter((name) => point.missing.includes(name));
  if (lost.length > 0) {
    const whole = recovered.filter((name) => !lost.includes(name));
    throw new RefloatError("point.damaged", `point ${shortId(point.id)} has lost its data of ${lost.join(", ")}`, {
      state: "nothing was changed",
      hint: whole.length === 0 ? "choose another point" : `the rest of it is whole: --only ${whole.join(",")}`,
      nextCommand: `refloat points ${service.name}`,
    });
  }
  const rebound = reboundBy(isRecovered, declared, order, input.components);
  return {
    recovered,
    rebound,
    kept: declared.filter((name) => !isRecovered.has(name)),
    uncaptured: only === undefined ? declared.filter((name) => captured[name] === undefined) : [],
  };
};

/** Also through other components: a process that talks to a restarted process may have to find it at a new address. */
const reboundBy = (
  recovered: ReadonlySet<string>,
  declared: readonly string[],
  order: ComponentOrder,
  components: Readonly<Record<string, LiveComponent>>,
): readonly string[] =>
  declared.filter(
    (name) =>
      !recovered.has(name) &&
      components[name]?.capabilities.hasRuntime === true &&
      [...order.dependenciesOf(name)].some((other) => recovered.has(other)),
  );
