/** The contract of component drivers, on a real repository. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { vi } from "vitest";
import { describeComponentDriver } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { captureGitInto, git, gitContext, gitDriver, makeRepository, readGitContent } from "../../testing/git-bench.ts";

vi.setConfig({ testTimeout: 300_000 });

describeComponentDriver("a Git repository", async () => {
  const folder = await createTestFolder("refloat-git-contract");
  const path = join(folder.path, "config");
  await makeRepository(path);
  const context = gitContext(path, folder.path);
  let captures = 0;
  return {
    driver: gitDriver,
    context,
    capture: () => captureGitInto(context, join(folder.path, `vault-${(captures += 1)}`)),
    open: async () => createDirectoryReader(join(folder.path, `vault-${captures}`)),
    write: async () => {
      await writeFile(join(path, "shop.conf"), "price = 0\n");
      await git(path, "commit", "--quiet", "--all", "--message", "a bad upgrade");
    },
    content: (location) => readGitContent(location ?? path),
    close: folder.remove,
  };
});
