/** Refuses a plan that would fill a file system: a recovery that stops half way with a full disk has made things worse. */
import type { Plan, SpaceForecast } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { formatBytes } from "../text/quantity.ts";

const describe = ({ fileSystem, neededBytes, freeBytes, components }: SpaceForecast): string =>
  `${fileSystem} needs ${formatBytes(neededBytes)} for ${components.join(", ")} and has ${formatBytes(freeBytes)} free`;

/** @throws RefloatError plan.no-space naming each file system that is short */
export const refuseIfShort = (plan: Plan): void => {
  const short = plan.forecast.space.filter(({ neededBytes, freeBytes }) => neededBytes > freeBytes);
  if (short.length === 0) return;
  const missing = short.map(
    ({ fileSystem, neededBytes, freeBytes }) => `${formatBytes(neededBytes - freeBytes)} on ${fileSystem}`,
  );
  throw new RefloatError("plan.no-space", `there is too little room: ${short.map(describe).join("; ")}`, {
    state: "nothing was changed",
    hint: `free ${missing.join(" and ")}, or recover less with --only`,
    context: { space: short.map((space) => ({ ...space })) },
  });
};
