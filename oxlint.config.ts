/**
 * Rules of the house. The layers of ARCHITECTURE.md are enforced here: each folder lists what it may import, everything
 * else inside src/ is refused.
 */
import { type OxlintOverride, defineConfig } from "oxlint";

const folders = [
  "model",
  "core",
  "platform",
  "vault",
  "journal",
  "drivers",
  "steps",
  "engine",
  "operations",
  "render",
  "contract",
  "cli",
  "testing",
];

const mayImport: Record<string, readonly string[]> = {
  model: [],
  core: ["model"],
  platform: ["model", "core"],
  "vault/repository": ["model", "core", "platform"],
  "vault/points": ["model", "core", "platform", "vault"],
  journal: ["model", "core", "platform"],
  drivers: ["model", "core", "platform"],
  steps: ["model", "core", "platform"],
  engine: ["model", "core", "platform"],
  operations: ["model", "core"],
  render: ["model", "core"],
  contract: ["model"],
  cli: ["model", "core", "operations", "contract", "render", "platform"],
};

/** A test stands above the layers: it may start real servers by src/testing and use a real vault. */
const tests = ["**/*.test.ts"];

const refuse = (names: readonly string[], message: string) => ({
  regex: `^(\\.\\./)+(${names.join("|")})(/|$)`,
  message,
});

const layerRules: OxlintOverride[] = Object.entries(mayImport).map(([folder, allowed]) => {
  const own = folder.split("/")[0] ?? folder;
  const refused = folders.filter((name) => name !== own && !allowed.includes(name));
  return {
    files: [`src/${folder}/**/*.ts`],
    excludeFiles: tests,
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            refuse(refused, `src/${folder} may import only: ${allowed.join(", ") || "npm packages"}.`),
            ...siblings(folder),
          ],
        },
      ],
    },
  };
});

const driverRefusals = [
  refuse(
    folders.filter((name) => !["model", "core", "platform", "drivers"].includes(name)),
    "A driver may import only: model, core, platform.",
  ),
];

/** Siblings never import each other: one driver another driver, one operation another operation. */
function siblings(folder: string) {
  if (folder === "operations")
    return [{ regex: "^\\./", message: "Operations import no sibling; shared parts live in core." }];
  if (folder === "vault/repository")
    return [{ regex: "^(\\.\\./)+points/", message: "The repository knows no recovery point." }];
  return [];
}

export default defineConfig({
  plugins: ["typescript", "unicorn", "import", "promise", "vitest"],
  categories: { correctness: "error", suspicious: "error", perf: "error" },
  options: { typeAware: true },
  rules: {
    "import/no-cycle": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/no-floating-promises": "error",
    "typescript/switch-exhaustiveness-check": "error",
    "no-await-in-loop": "off",
    "import/no-unassigned-import": "off",
    "import/no-named-as-default-member": "off",
    "unicorn/no-array-sort": "off",
    "unicorn/no-array-reverse": "off",
    "unicorn/consistent-function-scoping": "off",
    "no-shadow": "off",
    "no-underscore-dangle": "off",
    "typescript/no-unsafe-type-assertion": "off",
    "vitest/require-mock-type-parameters": "off",
    "promise/always-return": "off",
  },
  overrides: [
    ...layerRules,
    {
      files: ["src/drivers/*/*.ts"],
      excludeFiles: tests,
      rules: {
        "no-restricted-imports": [
          "error",
          { patterns: [...driverRefusals, { regex: "^\\.\\./[a-z]", message: "Drivers never import each other." }] },
        ],
      },
    },
    {
      // Time, randomness and the environment are injected everywhere else.
      files: ["src/{model,core,steps,engine,operations,render,contract}/**/*.ts"],
      excludeFiles: ["**/*.test.ts"],
      rules: {
        "no-restricted-properties": [
          "error",
          { object: "Date", property: "now", message: "Take the time from the injected Clock." },
          { object: "Math", property: "random", message: "Take randomness from platform." },
          { object: "process", property: "env", message: "Read the environment in platform or in the shell." },
        ],
      },
    },
  ],
  ignorePatterns: ["dist", "node_modules", "src/vault/repository/wasm/assembly/**", "coverage"],
});
