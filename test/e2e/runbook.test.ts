/** A service that is nothing but a runbook: captured, planned, followed by people, reported; then automated one step at a time. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let refloat: RefloatProgram;

const declare = (...components: readonly string[]) =>
  writeFile(
    join(folder, "refloat.yaml"),
    [
      `vault: { url: ${folder}/vault, password: "\${file:${folder}/password}" }`,
      "services:",
      "  phone:",
      ...components,
      "    manual:",
      "      - { name: Call the provider, before: restore, do: Call 0800 1234. }",
      "      - { name: Redirect the numbers, do: Redirect them in the console., expect: the test call rings, takes: 3m }",
      "      - { name: Tell the staff, after: cutover, do: Write to them. }",
      "",
    ].join("\n"),
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-runbook-"));
  await mkdir(join(folder, "config"));
  await writeFile(join(folder, "config/numbers"), "0800 1");
  await writeFile(join(folder, "password"), "correct horse", { mode: 0o600 });
  await declare();
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

it("is a service like any other", { timeout: 300_000 }, async () => {
  expect((await refloat.succeed(["validate"])).stdout).toContain("phone: a runbook of 3 manual steps");
  const captured = (await refloat.succeed(["capture", "phone"])).stdout;
  expect(captured).toContain("a runbook of 3 manual steps, as they are declared");
  expect((await refloat.succeed(["points", "phone"])).stdout).toContain("a runbook: manual steps alone");
  const plan = (await refloat.succeed(["plan", "phone"])).stdout;
  expect(plan).toMatch(/^1 .*Call the provider .*\n2 .*Redirect the numbers .*3m\n/m);
  expect(plan).toContain("Predicted 3m");
  expect(plan).toContain("people do it all");
  expect(plan).not.toContain("no check is declared for");

  expect((await refloat.run(["recover", "phone", "--yes"])).exit).toBe(6);
  const answers = ["they answered", "it rings", "mail sent"];
  for (const [index, seen] of answers.entries()) {
    // Without a name it is the step that waits.
    await refloat.succeed(["done", "1", "--evidence", seen]);
    expect((await refloat.run(["resume", "1"])).exit).toBe(index === answers.length - 1 ? 0 : 6);
  }
  const report = (await refloat.succeed(["runs", "1"])).stdout;
  expect(report).toContain("PHONE IS BACK");
  expect(report).toMatch(/^next: refloat status$/m);
  for (const seen of answers) expect(report).toContain(`${userInfo().username}, saw: ${seen}`);
  expect((await refloat.succeed(["verify"])).stdout).toContain("1 point proven by its root");

  // The first step is automated: the runbook goes on around it.
  await declare("    components:", `      config: { type: files, path: ${folder}/config }`);
  await refloat.succeed(["capture", "phone"]);
  await writeFile(join(folder, "config/numbers"), "damaged");
  const { lines } = await refloat.succeed(["plan", "phone", "--json"]);
  const { steps } = resultEnvelopeSchema("plan").parse(lines.at(-1)).data.intent;
  expect(steps.map(({ id }) => id).filter((id) => !id.startsWith("save-lost"))).toEqual([
    "manual:call-the-provider",
    "restore:config",
    "check:config",
    "manual:redirect-the-numbers",
    "switch:config",
    "manual:tell-the-staff",
  ]);
  expect(await readFile(join(folder, "config/numbers"), "utf8")).toBe("damaged");
});
