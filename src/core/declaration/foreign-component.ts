/** A component of another service as the file has it, whether or not it is right: for whoever asks what outputs it has. */
import type { ComponentDeclaration } from "../../model/declaration.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Reading } from "./reading.ts";
import { nodeAt } from "./yaml-source.ts";

export const foreignComponent = (
  reading: Reading,
  service: string,
  component: string,
): Pick<ComponentDeclaration, "type" | "options"> | undefined => {
  const value = nodeAt(reading.root, ["services", service, "components", component])?.value;
  if (value === undefined || value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  const options = value as JsonObject;
  return typeof options["type"] === "string" ? { type: options["type"], options } : undefined;
};
