/** Refuses to execute a plan that would break links of what is kept, unless their loss was accepted. */
import { shortId } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { formatAmount, formatList } from "../text/quantity.ts";

/** @throws RefloatError recover.would-break with the command that accepts it */
export const refuseBrokenLinks = ({ intent, forecast }: Plan): void => {
  const refused = (forecast.breaks ?? []).filter(
    ({ invariant, broken }) => broken > 0 && intent.acceptBroken?.includes(invariant) !== true,
  );
  if (refused.length === 0) return;
  const told = refused.map(
    ({ invariant, every, in: within, broken, samples }) =>
      `${invariant}: ${formatAmount(broken, "links")} of ${every}, which is kept, to what came into ${within} after the point, such as ${formatList(samples, 3)}`,
  );
  const at = intent.point === null ? "" : ` --at ${shortId(intent.point.id)}`;
  throw new RefloatError("recover.would-break", `this recovery would break ${told.join("; ")}`, {
    state: "nothing was changed",
    hint: "recover both sides, or accept it: the old side is kept, so what the links name can be fetched from there",
    context: { breaks: refused.map((broken) => ({ ...broken, samples: [...broken.samples] })) },
    nextCommand: `refloat recover ${intent.service}${at} --only ${intent.scope.join(",")}${intent.cutover ? "" : " --no-cutover"} --accept-loss`,
  });
};
