/**
 * `npm run check-plugin -- COMPONENT.yaml`: takes a plugin (or declared lines) through what Refloat will ask of it, against its live side, and says
 * where it breaks the contract. COMPONENT.yaml holds the keys of one `type: command` component. Makes and drops an instance beside the live
 * side, and never switches. For authors of plugins, from a clone.
 */
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { parseTemplate } from "../src/core/declaration/template.ts";
import type { DriverContext, InstanceTarget } from "../src/core/ports/driver.ts";
import type { SnapshotReader } from "../src/core/ports/vault-snapshots.ts";
import { RefloatError } from "../src/model/refloat-error.ts";
import { readSecret } from "../src/platform/secret.ts";
import { removeTree } from "../src/platform/tree-files.ts";
import { captureCommandInto, commandDriver } from "../src/testing/command-bench.ts";
import { createDirectoryReader } from "../src/testing/directory-vault.ts";
import { createTestContext } from "../src/testing/driver-context.ts";

const never = new AbortController().signal;
const run = 424_242;
const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const { instances } = commandDriver;

const bind: DriverContext["bind"] = async (text) => {
  let value = "";
  let secret = false;
  for (const part of parseTemplate(text)) {
    if (part.kind === "literal") value += part.text;
    else if (part.kind === "secret") {
      value += (await readSecret(part.reference, never)).reveal();
      secret = true;
    } else throw new RefloatError("usage", `${part.source} names another component, and there is none here`);
  }
  return { value, secret };
};

/** The same data, cut off by a vault that fails after its first bytes. */
const cutOff = (reader: SnapshotReader): SnapshotReader => ({
  ...reader,
  stream: async function* stream(path) {
    for await (const chunk of reader.stream(path)) {
      yield chunk.subarray(0, Math.ceil(chunk.length / 2));
      throw new RefloatError("vault.damaged", "the vault was cut off by this check");
    }
  },
});

const expectTo = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new RefloatError("program.failed", otherwise);
};

const checkComponent = async (context: DriverContext, folder: string): Promise<number> => {
  let faults = 0;
  const check = async (what: string, act: () => Promise<string | void>): Promise<boolean> => {
    try {
      const told = await act();
      process.stdout.write(`  ok    ${what}${told === undefined ? "" : `: ${told}`}\n`);
      return true;
    } catch (error) {
      faults += 1;
      process.stdout.write(`  FAULT ${what}: ${error instanceof Error ? error.message : String(error)}\n`);
      return false;
    }
  };
  const vault = join(folder, "vault");
  const target: InstanceTarget = { name: await instances.name(context, run), run, runUid };
  const inspected = (): ReturnType<typeof instances.inspect> => instances.inspect(context, target);
  const isAbsent = async (): Promise<void> =>
    expectTo((await inspected()) === "absent", `inspect does not say that ${target.name} is absent`);

  await check("answers a preflight", async () => {
    const wrong = (await commandDriver.preflight(context)).findings.filter(({ ok }) => !ok);
    expectTo(wrong.length === 0, wrong.map(({ subject, found }) => `${subject}: ${found}`).join("; "));
  });
  const captured = await captureCommandInto(context, vault).catch((error: unknown) => error as Error);
  if (captured instanceof Error) {
    await check("captures whole", () => Promise.reject(captured));
    return faults;
  }
  await check(
    "captures whole",
    async () => `${captured.sizeBytes} bytes; ${captured.warnings.join("; ") || "no warnings"}`,
  );
  // Nothing is dropped that this check did not make.
  if (!(await check("has nothing where an instance goes", isAbsent))) return faults;
  const reader = createDirectoryReader(vault);
  const tearDown = (what: string) =>
    check(what, async () => {
      await instances.drop(context, target);
      await instances.drop(context, target);
      await isAbsent();
    });
  await check("does not believe data that is cut off", async () => {
    const ended = await instances.restore(context, target, cutOff(reader), captured).then(
      () => "whole",
      () => "failed",
    );
    expectTo(ended === "failed", "it called data whole that had no seal");
    expectTo((await inspected()) !== "done", "it is told as done");
  });
  await tearDown("drops what is partial, and again");
  await check("restores", async () => {
    await instances.restore(context, target, reader, captured);
    expectTo((await inspected()) === "done", "inspect does not say done");
  });
  await check("has the facts that were captured", async () => {
    const outcomes = await instances.validate(context, target, captured.facts);
    const wrong = outcomes.filter(({ status }) => status === "failed");
    expectTo(wrong.length === 0, wrong.map(({ subject, found }) => `${subject}: ${found}`).join("; "));
    return outcomes.map(({ found }) => found).join("; ");
  });
  await check("tells outputs and position of the instance", async () => {
    await instances.outputs(context, target);
    await commandDriver.writes?.position(context, target.name);
  });
  await tearDown("drops the instance, and again");
  return faults;
};

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("usage: npm run check-plugin -- COMPONENT.yaml\n");
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), "refloat-check-plugin-"));
try {
  const { type: _type, ...declared } = parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const options = commandDriver.options.safeParse(declared);
  if (!options.success)
    throw new RefloatError("config.invalid", options.error.issues.map(({ message }) => message).join("; "));
  await mkdir(join(folder, "vault"));
  const context = { ...createTestContext({ options: options.data, folder, component: "checked" }), bind };
  const faults = await checkComponent(context, folder);
  process.stdout.write(faults === 0 ? "no faults\n" : `${faults} faults\n`);
  process.exitCode = faults === 0 ? 0 : 4;
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
} finally {
  await removeTree(folder, never);
}
