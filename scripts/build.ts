/**
 * `npm run build`: bundles src/ into dist/ and makes sure that what npm would publish is whole: every file that package.json names is
 * in the package, nothing of the sources' tests is, and the built command starts.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { bundleProgram } from "./bundle-program.ts";

const root = join(import.meta.dirname, "..");

const packSchema = z.array(
  z.object({
    size: z.number(),
    unpackedSize: z.number(),
    files: z.array(z.object({ path: z.string(), mode: z.number() })),
  }),
);

const fail = (why: string): never => {
  process.stderr.write(`build failed: ${why}\n`);
  process.exit(1);
};

const run = (program: string, args: readonly string[]): string => {
  const result = spawnSync(program, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (result.status !== 0) {
    process.stdout.write(result.stdout);
    fail(`${program} ${args.join(" ")} ended with ${result.signal ?? result.status ?? result.error?.message}`);
  }
  return result.stdout;
};

const required = [
  "bin/refloat.cjs",
  "bin/launch.cjs",
  "dist/main.js",
  "dist/licences.txt",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
];

const inspectPackage = (): string => {
  // npm 11 prints a list, npm 12 an object by package name.
  const answer: unknown = JSON.parse(run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"]));
  const [pack] = packSchema.parse(
    Array.isArray(answer) ? answer : Object.values(z.record(z.string(), z.unknown()).parse(answer)),
  );
  if (pack === undefined) return fail("npm pack reported no package");
  const paths = new Set(pack.files.map((file) => file.path));
  const absent = required.filter((path) => !paths.has(path));
  if (absent.length > 0) fail(`the package lacks ${absent.join(", ")}`);
  const strays = [...paths].filter((path) => /\.test\.|^src\/|^test\/|\.tsbuildinfo$/.test(path));
  if (strays.length > 0) fail(`the package holds ${strays.slice(0, 5).join(", ")}`);
  const command = pack.files.find((file) => file.path === "bin/refloat.cjs");
  if (command === undefined || (command.mode & 0o111) === 0) fail("bin/refloat.cjs is not executable");
  return `${pack.files.length} files, ${(pack.size / 1e6).toFixed(1)} MB packed`;
};

rmSync(join(root, "dist"), { recursive: true, force: true });
await bundleProgram(join(root, "dist"));
chmodSync(join(root, "bin/refloat.cjs"), 0o755);
if (!existsSync(join(root, "dist/main.js"))) fail("dist/main.js was not made");
run(process.execPath, [join(root, "dist/main.js"), "--version"]);
process.stdout.write(`built dist; the package: ${inspectPackage()}\n`);
