import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { createTestFolder } from "../testing/driver-context.ts";
import { userEntry } from "./user-entry.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

test("a user is found by name and by number, asked once for all who ask under one signal", async () => {
  const { signal } = new AbortController();
  const answer = userEntry("root", signal);
  expect(await answer).toMatchObject({ name: "root", uid: 0, gid: 0, home: "/root" });
  expect(userEntry("root", signal)).toBe(answer);
  expect(userEntry("root", new AbortController().signal)).not.toBe(answer);
  expect((await userEntry("0", signal)).name).toBe("root");
});

test("an answer is a minute old at most, however long the signal lives", async () => {
  const { signal } = new AbortController();
  const answer = userEntry("root", signal, 1000);
  expect(userEntry("root", signal, 60_999)).toBe(answer);
  const later = userEntry("root", signal, 61_000);
  expect(later).not.toBe(answer);
  expect(await later).toEqual(await answer);
});

test("one who is not there is asked for again", async () => {
  const { signal } = new AbortController();
  const answer = userEntry("nobody-of-that-name", signal);
  await expect(answer).rejects.toMatchObject({ code: "program.failed" });
  const again = userEntry("nobody-of-that-name", signal);
  expect(again).not.toBe(answer);
  await expect(again).rejects.toMatchObject({ code: "program.failed" });
});

test.each(["", "shop", "shop:x::", "shop:x:abc:100::/home/shop:/bin/sh", ":x:100:100::/:/bin/sh"])(
  "an entry without numbers is nobody, and not root: %j",
  async (entry) => {
    const folder = await createTestFolder("refloat-user-entry");
    try {
      const programs = join(folder.path, "bin");
      await mkdir(programs);
      await writeFile(join(programs, "getent"), `#!/bin/sh\necho '${entry}'\n`);
      await chmod(join(programs, "getent"), 0o755);
      vi.stubEnv("PATH", `${programs}:${process.env["PATH"] ?? ""}`);
      await expect(userEntry("shop", new AbortController().signal)).rejects.toMatchObject({
        code: "program.failed",
        message: "getent passwd shop tells no name and numbers of a user",
      });
    } finally {
      await folder.remove();
    }
  },
);
