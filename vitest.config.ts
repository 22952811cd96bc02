import { defineConfig } from "vitest/config";

/** Real servers on a small machine: few files at once, and room for a slow disk. No timing decides a test. */
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/publish-program.ts"],
    setupFiles: ["test/compare-bytes.ts"],
    // They end what hangs; a machine under load may take several times what a quiet one does.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    pool: "forks",
    maxWorkers: 3,
    reporters: ["default"],
  },
});
