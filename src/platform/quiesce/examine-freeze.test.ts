import { expect, it } from "vitest";
import { bindFrom } from "../../testing/driver-context.ts";
import { examineFreeze } from "./examine-freeze.ts";

const faults = async (freeze: string, thaw: string): Promise<readonly (string | undefined)[]> => {
  const request = {
    service: "shop",
    quiesce: { freeze, thaw, environment: { TOKEN: "${file:token}" } },
    bind: bindFrom({ "file:token": "secret!hunter2", "app.port": "8080" }),
    signal: new AbortController().signal,
  };
  const { findings } = await examineFreeze(request, async () => null);
  return findings.map(({ ok, found }) => (ok ? undefined : found));
};

it("finds what the shell cannot read and programs that are not there, and runs nothing", async () => {
  expect(await faults("exit 1", 'A="x y" B=1 false')).toEqual([undefined, undefined]);
  expect(await faults("no-such-program --pause", "/no/such/script")).toEqual([
    "there is no program no-such-program",
    "there is no program /no/such/script",
  ]);
  expect(await faults("if true", "(cd / && true")).toEqual([
    expect.stringContaining("the shell cannot read it"),
    expect.stringContaining("the shell cannot read it"),
  ]);
});

it("refuses a secret on a command line", async () => {
  await expect(faults("pause ${file:token}", "true")).rejects.toThrow("the freeze line holds a secret");
});
