/** The published JSON Schema of the plugin protocol, for authors of plugins: made from the schemas that Refloat itself reads by. */
import { z } from "zod";
import {
  pluginFrameSchema,
  pluginHelloSchema,
  pluginMessageSchema,
  pluginRequestSchema,
  pluginResultSchemas,
} from "../model/plugin-protocol.ts";

export const pluginSchemaId = "urn:refloat:schema:plugin:v1";

const schemaOf = (schema: z.ZodType) => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: "input", target: "draft-7" });
  return rest;
};

export const buildPluginSchema = () => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: pluginSchemaId,
  title: "Refloat plugin protocol 1",
  description: "Lines between Refloat and a plugin; docs/plugins.md says who writes which when.",
  definitions: {
    hello: schemaOf(pluginHelloSchema),
    request: schemaOf(pluginRequestSchema),
    message: schemaOf(pluginMessageSchema),
    frame: schemaOf(pluginFrameSchema),
    ...Object.fromEntries(
      Object.entries(pluginResultSchemas).map(([request, schema]) => [`result-${request}`, schemaOf(schema)]),
    ),
  },
});
