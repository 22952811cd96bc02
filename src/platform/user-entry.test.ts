import { expect, test } from "vitest";
import { userEntry } from "./user-entry.ts";

test("a user is found by name and by number, asked once for all who ask under one signal", async () => {
  const { signal } = new AbortController();
  const answer = userEntry("root", signal);
  expect(await answer).toMatchObject({ name: "root", uid: 0, gid: 0, home: "/root" });
  expect(userEntry("root", signal)).toBe(answer);
  expect(userEntry("root", new AbortController().signal)).not.toBe(answer);
  expect((await userEntry("0", signal)).name).toBe("root");
});

test("one who is not there is asked for again", async () => {
  const { signal } = new AbortController();
  const answer = userEntry("nobody-of-that-name", signal);
  await expect(answer).rejects.toMatchObject({ code: "program.failed" });
  const again = userEntry("nobody-of-that-name", signal);
  expect(again).not.toBe(answer);
  await expect(again).rejects.toMatchObject({ code: "program.failed" });
});
