/**
 * Compiles src/vault/repository/wasm/assembly to the module that is committed beside it, so that nobody needs a compiler to run
 * Refloat. A test compiles again and compares.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main as compile } from "assemblyscript/asc";

const root = fileURLToPath(new URL("..", import.meta.url));
const generatedPath = join(root, "src/vault/repository/wasm/kernel-module.ts");

/** @returns the text of kernel-module.ts as the assembly sources make it */
export const generateKernelModule = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "refloat-wasm-"));
  try {
    const output = join(folder, "kernel.wasm");
    const { error } = await compile([
      join(root, "src/vault/repository/wasm/assembly/index.ts"),
      "--outFile",
      output,
      "-O3",
      "--converge",
      "--noAssert",
      // Behind the tables and the staging area of staging.ts.
      "--memoryBase",
      String(4096 + 128 * 1024),
      "--runtime",
      "stub",
      "--use",
      "abort=",
    ]);
    if (error !== null) throw new Error("the assembly does not compile", { cause: error });
    const lines = (await readFile(output)).toString("base64").match(/.{1,110}/g) ?? [];
    return [
      "/** Generated from assembly/ by scripts/build-wasm.ts; do not edit. */",
      "export const kernelBase64 = [",
      ...lines.map((line) => `  "${line}",`),
      '].join("");',
      "",
    ].join("\n");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

if (import.meta.main) {
  await writeFile(generatedPath, await generateKernelModule());
  console.log(`wrote ${generatedPath}`);
}
