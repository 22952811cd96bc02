/**
 * Looks at the side elsewhere from here. What is not reached, or is not what the run left there, is no side that a plan may leave: then the way home
 * is the one of two commands.
 */
import { z } from "zod";
import { awayNumber } from "./away-number.ts";
import type { Place } from "./place-of.ts";
import { placeOf } from "./place-of.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import type { RunRecord } from "../../model/run.ts";
import type { ComponentAccess } from "../components/component-access.ts";
import { type Look, lookAtComponents } from "../components/look-at-components.ts";
import type { Identity } from "../ports/driver.ts";

export type Sight = { readonly place: Place; readonly identity: Identity };

/** Places and identities of what stands behind the names of one side. */
export const sightsOf = async (
  access: ComponentAccess,
  { components }: ServiceDeclaration,
  { components: seen }: Look,
): Promise<Readonly<Record<string, Sight>>> => {
  const sights: Record<string, Sight> = {};
  for (const name of Object.keys(components)) {
    if (seen[name]?.awaits !== undefined) continue;
    const driver = access.driver(name);
    const context = await access.context(name);
    const { instance = name, retired = name } = seen[name]?.names ?? {};
    const { stable } = await driver.switching.observe(context, { incoming: instance, outgoing: retired });
    sights[name] = { place: placeOf(name, await driver.stableOutputs(context)), identity: stable };
  }
  return sights;
};

export type AwaySide = {
  readonly look: Look;
  readonly sights: Readonly<Record<string, Sight>>;
  /** Components that are shown, by what the run has put behind their names, to be those of that side. Of the others the file says so alone. */
  readonly shown: ReadonlySet<string>;
};

/** @throws RefloatError plan.impossible */
export const lookAway = async (
  access: ComponentAccess,
  declaration: ServiceDeclaration,
  led: RunRecord,
): Promise<AwaySide> => {
  const names = Object.keys(declaration.components);
  let side: Omit<AwaySide, "shown">;
  try {
    const look = await lookAtComponents(access, {
      service: declaration,
      point: null,
      needed: names,
      run: awayNumber(led.uid),
    });
    side = { look, sights: await sightsOf(access, declaration, look) };
  } catch (error) {
    const why = toRefloatError(error);
    if (why.code === "bug" || why.code === "interrupted") throw error;
    const advice = why.hint === undefined ? "" : ` (${why.hint})`;
    throw byHand(
      declaration.name,
      `the side that run ${led.number} recovered cannot be reached from here: ${why.message}${advice}`,
      error,
    );
  }
  const shown = new Set<string>();
  for (const name of names) {
    const { identity, place } = side.sights[name] ?? {};
    if (identity === undefined || identity === null)
      throw byHand(
        declaration.name,
        `nothing stands behind the name of ${name} of that side, seen from here (${place?.where ?? name})`,
      );
    const left = identityLeft(led, name);
    if (left === identity) shown.add(name);
    if (left === null || left === identity) continue;
    throw byHand(
      declaration.name,
      `${name}, seen from here at ${place?.where ?? name}, is not what run ${led.number} put there (${left}, and this is ${identity})`,
    );
  }
  return { ...side, shown };
};

const switchIntentSchema = z.object({ before: z.object({ incoming: z.string().nullable() }) });

/** What the run put behind the component's name: it bears the same identity since. Null where it put nothing there, or nothing is known of it. */
const identityLeft = ({ steps }: RunRecord, component: string): string | null => {
  const step = steps.find(({ id, state }) => id === `switch:${component}` && state === "done");
  return switchIntentSchema.safeParse(step?.intent).data?.before.incoming ?? null;
};

export const byHand = (service: string, why: string, cause?: unknown): RefloatError =>
  new RefloatError("plan.impossible", `the way home of ${service} cannot be one plan: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    state: "nothing was changed",
    hint:
      "one plan needs both sides in reach of this machine: its paths, and servers that it can connect to. Else the way home is two commands with " +
      "the writers stopped between them (docs/recovery.md, The way home): a capture there, then here",
    nextCommand: `refloat plan ${service} --at POINT`,
  });
