/** `npm run build-schema`: writes schema/refloat.schema.json from the parser's and the drivers' schemas. `--check` only compares. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildDeclarationSchema } from "../src/contract/declaration-schema.ts";
import { driverRegistry } from "../src/driver-registry.ts";

const target = join(import.meta.dirname, "../schema/refloat.schema.json");

const { components, checks, traffic } = driverRegistry;
const schema = buildDeclarationSchema({
  components: components.values(),
  checks: checks.values(),
  traffic: traffic.values(),
});
const text = `${JSON.stringify(schema, null, 2)}\n`;

if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    process.stderr.write("schema/refloat.schema.json is not what the sources say: node scripts/build-schema.ts\n");
    process.exitCode = 1;
  }
} else {
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}
