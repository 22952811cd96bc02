/** schema: the JSON Schema of refloat.yaml, for editors. */
import { z } from "zod";
import { buildDeclarationSchema } from "../../contract/declaration-schema.ts";
import type { JsonObject } from "../../model/json.ts";
import { answer, defineCommand } from "../command.ts";

export const schemaCommand = defineCommand({
  name: "schema",
  group: "Machinery",
  summary: "the JSON Schema of refloat.yaml, for editors",
  about: [
    "Prints the JSON Schema (draft 7) of refloat.yaml with the keys of every technology that this build knows, as editors use it for " +
      "completion and for marking mistakes. What holds between keys, such as references, only refloat validate can say.",
  ],
  arguments: [],
  options: [],
  examples: [
    {
      line: "refloat schema >refloat.schema.json",
      about: "then, as the file's first line: # yaml-language-server: $schema=refloat.schema.json",
    },
  ],
  exits: [],
  tellsRuns: false,
  input: z.object({}),
  act: async (_input, { bench: open }) => {
    const { components, checks, sets, traffic, provisions } = (await open()).registry;
    const schema = buildDeclarationSchema({
      components: components.values(),
      checks: checks.values(),
      sets: sets.values(),
      traffic: traffic.values(),
      provisions: provisions.values(),
    }) as JsonObject;
    return answer("schema", { schema }, JSON.stringify(schema, null, 2));
  },
});
