/**
 * `npm run demo [-- --json | --clean | --keep-running]`: a real shop breaks and comes back. Exit code 0 only if every finding is good.
 */
import { parseArgs } from "node:util";
import { type DemoFolder, cleanDemo, demoFolder, openDemoFolder } from "./demo/demo-folder.ts";
import { type Screen, createScreen } from "./demo/screen.ts";
import { type StoryResult, showResult, tellStory, withOpenShop } from "./demo/story.ts";
import { setUp } from "./setup.ts";

const refuse = (why: string): never => {
  process.stderr.write(`error usage: ${why}\nnext: npm run demo [-- --json | --clean | --keep-running]\n`);
  process.exit(2);
};

const readOptions = () => {
  const known = {
    json: { type: "boolean", default: false },
    clean: { type: "boolean", default: false },
    "keep-running": { type: "boolean", default: false },
  } as const;
  try {
    return parseArgs({ options: known }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
};

const options = readOptions();

/** The last line of `--json`, on success and on failure. */
const printJson = (value: Readonly<Record<string, unknown>>): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

const clean = async (): Promise<void> => {
  const folder = await demoFolder();
  const found = await cleanDemo(folder);
  if (options.json) printJson({ ok: true, removed: found ? folder.path : null });
  else process.stdout.write(found ? `removed ${folder.path}\n` : "there was nothing to clean\n");
};

const summarise = (result: StoryResult, stateDir: string) => ({
  ok: result.findings.every(({ ok }) => ok),
  rtoActualMs: result.rtoActualMs,
  rpoActualMs: result.rpoActualMs,
  steps: result.steps,
  phases: result.phases,
  orders: {
    acknowledged: result.orders.acknowledged,
    inNewDatabase: result.orders.inNewDatabase,
    inExport: result.orders.inExport,
    missing: result.orders.missing.length,
  },
  findings: result.findings,
  stateDir,
});

/** Says what went wrong, in both forms. */
const fail = (screen: Screen, error: unknown, folder: DemoFolder | null): void => {
  const message = error instanceof Error ? error.message : String(error);
  const state = folder === null ? "" : `\nstate: logs are in ${folder.shop}/logs\nnext: npm run demo -- --clean`;
  screen.line(`error demo: ${message}${state}`);
  if (options.json) printJson({ ok: false, error: message, stateDir: folder?.path ?? null });
  process.exitCode = 1;
};

const play = async (screen: Screen, folder: DemoFolder): Promise<void> => {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new Error("interrupted"));
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  const keepRunning = options["keep-running"];
  const parts = { folder, screen, signal: stop.signal };
  try {
    const result = await withOpenShop(parts, keepRunning, (shop, customers) => tellStory(parts, shop, customers));
    showResult(screen, result);
    const summary = summarise(result, folder.path);
    const where = `--config ${folder.declaration} --state ${folder.state}`;
    screen.line(`\nTo explore: npx refloat points shop ${where}`);
    screen.line(`The incident is still open, and no point expires meanwhile: npx refloat incident close shop ${where}`);
    screen.line(
      keepRunning
        ? [
            `The shop is still open, and nothing captures it any more: ${folder.path}`,
            `To undo: npx refloat undo 1 ${where}`,
            "  It refuses at first, since customers have ordered on the new side: add --accept-loss. The old side is the damaged one,",
            "  so the probe then tells of prices of 0, and the orders that only the new side has are in a point of their own.",
          ].join("\n")
        : "The shop is closed again; npm run demo -- --keep-running leaves it open.",
    );
    screen.line("To remove everything: npm run demo -- --clean");
    if (options.json) printJson(summary);
    process.exitCode = summary.ok ? 0 : 1;
  } catch (error) {
    fail(screen, stop.signal.aborted ? stop.signal.reason : error, folder);
  }
};

const screen = createScreen(options.json);
try {
  if (options.clean) {
    await clean();
  } else {
    setUp("demo");
    await play(screen, await openDemoFolder());
  }
} catch (error) {
  fail(screen, error, null);
}
