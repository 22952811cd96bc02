import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { FenceDeclaration } from "../model/declaration.ts";
import { type TestFolder, bindFrom, createTestFolder } from "../testing/driver-context.ts";
import { examineFence } from "./examine-fence.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-fence");
});
afterEach(() => folder.remove());

const examine = (fence: Omit<FenceDeclaration, "name">) =>
  examineFence({
    service: "shop",
    fence: { name: "old primary", ...fence },
    bind: bindFrom({ "file:token": "secret!hunter2", "site.address": "127.0.0.1" }),
    signal: new AbortController().signal,
  });

it("asks the proof and runs neither of the lines that act", async () => {
  const touch = `touch ${folder.path}/acted`;
  const { findings } = await examine({
    command: touch,
    proof: 'echo "at $AT with $TOKEN"; exit 3',
    release: touch,
    environment: { AT: "${site.address}", TOKEN: "${file:token}" },
  });
  expect(findings).toEqual([
    { ok: true, subject: "command", found: "can be run; it was not" },
    {
      ok: true,
      subject: "proof",
      found: "fails now (exit status 3), as it should while nothing is fenced off: at 127.0.0.1 with [secret]",
    },
    { ok: true, subject: "release", found: "can be run; it was not" },
  ]);
  expect(existsSync(`${folder.path}/acted`)).toBe(false);
});

it("tells a proof that passes already, and one that could not tell", async () => {
  const proofOf = async (proof: string) => (await examine({ command: "true", proof })).findings[1];
  expect(await proofOf("true")).toMatchObject({ ok: true, found: "passes now: it is fenced off already" });
  expect(await proofOf("true && no-such-program")).toMatchObject({ ok: false });
  expect(await proofOf("no-such-program status")).toMatchObject({
    ok: false,
    found: "there is no program no-such-program",
  });
});

it("finds what cannot be bound: a secret on a command line, a reference to nothing", async () => {
  await expect(examine({ command: "off ${file:token}" })).rejects.toThrow("command of old primary holds a secret");
  await expect(examine({ command: "off ${gone.address}" })).rejects.toThrow("${gone.address}");
});
