/** Refuses a plan that would fill a file system: a recovery that stops half way with a full disk has made things worse. */
import type { Plan, SpaceForecast } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { formatBytes } from "../text/quantity.ts";

const describe = ({ fileSystem, neededBytes, freeBytes, components }: SpaceForecast): string =>
  `${fileSystem} needs ${formatBytes(neededBytes)} for ${components.join(", ")} and has ${formatBytes(freeBytes)} free`;

/** What all of them need: each keeps the side that it puts away. */
const addUp = (plans: readonly Plan[]): readonly SpaceForecast[] => {
  const total = new Map<string, SpaceForecast>();
  for (const { intent, forecast } of plans)
    for (const space of forecast.space) {
      const named = space.components.map((name) => (plans.length === 1 ? name : `${intent.service}.${name}`));
      const before = total.get(space.fileSystem);
      total.set(space.fileSystem, {
        ...space,
        neededBytes: space.neededBytes + (before?.neededBytes ?? 0),
        freeBytes: Math.min(space.freeBytes, before?.freeBytes ?? space.freeBytes),
        components: [...(before?.components ?? []), ...named],
      });
    }
  return [...total.values()];
};

/** @param plans of which all are executed @throws RefloatError plan.no-space naming each file system that is short */
export const refuseIfShort = (...plans: readonly Plan[]): void => {
  const short = addUp(plans).filter(({ neededBytes, freeBytes }) => neededBytes > freeBytes);
  if (short.length === 0) return;
  const missing = short.map(
    ({ fileSystem, neededBytes, freeBytes }) => `${formatBytes(neededBytes - freeBytes)} on ${fileSystem}`,
  );
  throw new RefloatError("plan.no-space", `there is too little room: ${short.map(describe).join("; ")}`, {
    state: "nothing was changed",
    hint: `free ${missing.join(" and ")}, or recover less ${plans.length === 1 ? "with --only" : "at once: one service, commit, then the next"}`,
    context: { space: short.map((space) => ({ ...space })) },
  });
};
