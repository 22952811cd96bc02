/** Writes schema/plugin.schema.json, the plugin protocol's, and schema/refloat.schema.json, the editors' schema of refloat.yaml, from the parser's and the drivers' own schemas; a test compares. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildDeclarationSchema } from "../src/contract/declaration-schema.ts";
import { buildPluginSchema } from "../src/contract/plugin-schema.ts";
import { driverRegistry } from "../src/driver-registry.ts";

const target = join(import.meta.dirname, "../schema/refloat.schema.json");

const { components, checks, sets, traffic, provisions } = driverRegistry;
const schema = buildDeclarationSchema({
  components: components.values(),
  checks: checks.values(),
  sets: sets.values(),
  traffic: traffic.values(),
  provisions: provisions.values(),
});
const write = (path: string, content: object): void => writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
mkdirSync(dirname(target), { recursive: true });
write(target, schema);
write(join(dirname(target), "plugin.schema.json"), buildPluginSchema());
