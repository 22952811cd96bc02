/** What arming again would do, and what was done. */
import type { ArmingPlan, DisarmedComponent } from "../model/arming.ts";
import { formatList } from "../core/text/quantity.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

const shortLength = 8;

export const shortArmingDigest = ({ digest }: Pick<ArmingPlan, "digest">): string => digest.slice(0, shortLength);

const part = (label: string, text: string, screen: Screen): readonly string[] => hanging(label.padEnd(9), text, screen);

export const renderArmingPlan = (plan: ArmingPlan, screen: Screen): string =>
  lines(
    `${screen.paint("bold", `${plan.act === "arm" ? "Rearm" : "Leave off in"} ${plan.service}`)}, plan ${shortArmingDigest(plan)}`,
    plan.components.flatMap(({ component, run, proposal }) => [
      screen.paint(
        "bold",
        `${component}, ${run === null ? "by which run is not known here" : `as run ${run} left it`}`,
      ),
      ...proposal.items.flatMap(({ name, was, does }) => [
        ...part(plan.act === "arm" ? "ARMS" : "LEAVES", `${name}: ${does}`, screen),
        ...part("", `before the recovery: ${was}`, screen),
      ]),
      ...proposal.stays.flatMap(({ name, was, why }) => [
        ...part("STAYS", `${name} off: ${why}`, screen),
        ...part("", `before the recovery: ${was}`, screen),
      ]),
      ...proposal.takes.flatMap((text) => part("TAKES", text, screen)),
      ...proposal.warnings.flatMap((text) => part("WARNING", screen.paint("yellow", text), screen)),
    ]),
  );

export const renderNothingToArm = (plan: ArmingPlan, screen: Screen): string =>
  lines("nothing was changed: what is off stays off", nextLine(screen, `refloat rearm --help`));

export const renderRearmed = (
  plan: ArmingPlan,
  done: readonly { readonly component: string; readonly items: readonly string[]; readonly said: readonly string[] }[],
  screen: Screen,
): string =>
  lines(
    done.flatMap(({ component, items, said }) => [
      screen.paint(
        "green",
        `${component}: ${plan.act === "arm" ? "armed" : "left off for good"}: ${formatList(items, 12)}`,
      ),
      ...said.map((text) => `  ${text}`),
    ]),
    nextLine(screen, "refloat status"),
  );

/** `db: archive, 2 subscriptions`; of many the first ones. */
export const describeDisarmed = ({ component, items }: DisarmedComponent): string =>
  `${component}: ${formatList(
    items.map(({ name, begun }) => (begun ? `${name} (arming it was interrupted)` : name)),
    4,
  )}`;
