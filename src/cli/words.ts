/** Arguments that several commands share, each with one spelling and one explanation. */
import { z } from "zod";
import type { ArgumentDefinition } from "./command.ts";

export const serviceArgument: ArgumentDefinition = {
  name: "SERVICE",
  about: "a service of refloat.yaml",
  required: true,
  completes: "services",
};

export const placeArgument: ArgumentDefinition = {
  name: "PLACE",
  about: "POINT, POINT:component or POINT:component:path; the id of a point may be cut to its first letters",
  required: true,
  completes: "places",
};

export const pointArgument: ArgumentDefinition = {
  name: "POINT",
  about: "the id of a recovery point, or its first letters",
  required: true,
  completes: "places",
};

export const runArgument: ArgumentDefinition = {
  name: "RUN",
  about: "the number of a run, as refloat runs lists it",
  required: true,
  completes: "runs",
};

export const stepArgument: ArgumentDefinition = {
  name: "STEP",
  about: "a step of the run, such as manual:move-the-webhook, or what follows its colon",
  required: true,
  completes: null,
};

/** Whether it is declared is said by the operation, which knows what is. */
export const serviceInput = z.string();

/** `--only a,b --only c` is one list. @param unnamed what is said of an empty name in it */
export const listInput = (unnamed: string) =>
  z
    .array(z.string())
    .default([])
    .transform((lists) => lists.flatMap((list) => list.split(",")).map((name) => name.trim()))
    .refine((names) => names.every((name) => name !== ""), unnamed);

export const splitList = listInput("a list has names between its commas");

/** `--only db,uploads --only app` is one list; null is all of the service. */
export const onlyInput = listInput("--only names components: --only db,uploads").transform(
  (names): readonly string[] | null => (names.length === 0 ? null : [...new Set(names)]),
);

/** `--only db,uploads:17.pdf` names components, or what is in one; null is all of the service. */
export const partsInput = splitList.transform((places) =>
  places.length === 0
    ? null
    : places.map((place) => {
        const colon = place.indexOf(":");
        return colon === -1
          ? { component: place, table: null }
          : { component: place.slice(0, colon), table: place.slice(colon + 1) };
      }),
);
