import { describe, expect, it } from "vitest";
import type { LogSpan } from "../../model/log-span.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import type { LogTargetFound } from "../ports/logs.ts";
import type { LogStore } from "../ports/vault-logs.ts";
import { readTarget, resolveTarget } from "./log-target.ts";
import { createLogSpan, minuteOfLog as at } from "../../testing/log-span.ts";

const found: LogTargetFound = { before: "0/3000", after: "0/3060", at: at(12) };
/** By line and what is looked for. */
let log: Record<string, LogTargetFound>;

const registry = {
  components: new Map([
    ["files", {}],
    [
      "postgres-cluster",
      {
        logs: {
          targets: {
            words: [
              {
                word: "xid",
                example: "xid 1234",
                read: (value: string) =>
                  /^\d+$/.test(value)
                    ? { sought: value, missing: `no end of transaction ${value}` }
                    : { unfit: "a number is made of digits" },
              },
              {
                word: "restore point",
                example: "restore point NAME",
                read: (value: string) => ({ sought: value, missing: `no restore point named "${value}"` }),
              },
              { word: "lsn", example: "lsn 0/3000060", read: (value: string) => ({ position: value }) },
            ],
            find: async ({ sought, span: { line } }: { sought: string; span: LogSpan }) =>
              log[`${line} ${sought}`] ?? null,
          },
        },
      },
    ],
  ]),
} as unknown as DriverRegistry;

const resolve = async (
  text: string,
  spans: readonly LogSpan[] = [createLogSpan()],
  only: readonly string[] | null = null,
) => {
  const logs: Pick<LogStore, "spans" | "reader" | "momentAt"> = {
    spans: async () => spans,
    reader: async () => ({ spans, history: async () => null, read: async function* none() {} }),
    momentAt: async ({ line, position }) => {
      const own = spans.find((one) => one.line === line && one.from <= position && position <= one.to);
      return own === undefined ? null : { span: own, position: own.from, at: own.toAt };
    },
  };
  const typed = readTarget(registry, text) ?? expect.fail(`${text} is no place in a log`);
  const signal = new AbortController().signal;
  return resolveTarget({ logs: logs as LogStore, registry }, typed, { service: "shop", only, signal });
};

const refusal = async (...request: Parameters<typeof resolve>): Promise<RefloatError> => {
  const error = await resolve(...request).catch((reason: unknown) => reason);
  return error instanceof RefloatError ? error : expect.fail("it was not refused");
};

describe("what is typed", () => {
  it.each([
    ["xid 1234", { word: "xid", isBefore: false, rest: "1234" }],
    ["before XID  1234", { word: "xid", isBefore: true, rest: "1234" }],
    ["just before the restore  point a b", { word: "restore point", isBefore: true, rest: "a b" }],
    ["lsn 0/3000060", { word: "lsn", isBefore: false, rest: "0/3000060" }],
  ])("%s", (text, expected) => {
    expect(readTarget(registry, text)).toMatchObject(expected);
  });

  it.each(["xid", "before xid", `before "xid 1234"`, "before mark xid 1234", "2 hours ago", "last", "xids 4"])(
    "%s is something else",
    (text) => {
      expect(readTarget(registry, text)).toBeNull();
    },
  );
});

describe("a place in a log", () => {
  it("is where it ends, and before it where it begins", async () => {
    log = { "7000/1 1234": found };
    const place = { kind: "log-target", what: "xid 1234", component: "orders", line: "7000/1", at: at(12) };
    expect(await resolve("xid 1234")).toMatchObject({ ...place, isBefore: false, position: "0/3060" });
    expect(await resolve("before xid 1234")).toMatchObject({ ...place, isBefore: true, position: "0/3000" });
  });

  it("may be told by its position, at the moment that the log knows of it", async () => {
    expect(await resolve("lsn 0/4000")).toMatchObject({ position: "0/4000", at: at(30) });
    expect(await refusal("lsn 0/9001")).toMatchObject({
      code: "log.unknown-target",
      message: expect.stringContaining("has no lsn 0/9001: it holds 0/1000 to 0/9000") as string,
    });
  });

  it("that the vault does not hold is refused with what it holds", async () => {
    log = {};
    expect(
      await refusal("xid 77", [
        createLogSpan(),
        createLogSpan({ from: "0/A000", to: "0/B000", fromAt: at(40), toAt: at(50) }),
      ]),
    ).toMatchObject({
      code: "log.unknown-target",
      message: `the log of orders that the vault holds has no end of transaction 77: it holds 0/A000 to 0/B000 on 7000/1 (${at(40)} to ${at(50)}) and 0/1000 to 0/9000 on 7000/1 (${at(0)} to ${at(30)})`,
      hint: expect.stringContaining("refloat capture shop --continuous") as string,
    });
    expect(await refusal("xid 77", [createLogSpan({ component: "docs", driver: "files" })])).toMatchObject({
      code: "log.unknown-target",
      message: "the vault holds no log of shop that knows of any xid",
    });
    expect(await refusal("xid 7a")).toMatchObject({
      code: "time.unclear",
      hint: expect.stringContaining("restore point NAME") as string,
    });
  });

  it("of which nothing is in the data is refused, with the time of it", async () => {
    log = { "7000/1 1234": { ...found, voidBecause: "transaction 1234 was rolled back" } };
    expect(await refusal("xid 1234")).toMatchObject({
      code: "log.unknown-target",
      message: expect.stringMatching(/^transaction 1234 was rolled back, at 0\/3060 in the log of orders/) as string,
      nextCommand: `refloat plan shop --at ${at(12)}`,
    });
  });

  it("is of the one component that is recovered, or of the one that is named", async () => {
    log = { "7000/1 1234": found, "8000/1 1234": { ...found, at: at(20) } };
    const both = [createLogSpan(), createLogSpan({ component: "billing", line: "8000/1" })];
    expect(await refusal("xid 1234", both)).toMatchObject({
      code: "time.unclear",
      hint: "say which: --at 'xid 1234 of orders'",
    });
    expect(await resolve("xid 1234 of billing", both)).toMatchObject({ what: "xid 1234", line: "8000/1", at: at(20) });
    expect(await resolve("xid 1234", both, ["orders", "docs"])).toMatchObject({ component: "orders" });
    expect(await resolve("xid 1234", [createLogSpan()], ["docs"])).toMatchObject({ component: "orders" });
  });

  it("that two lines have is refused until one is named", async () => {
    log = { "7000/1 1234": found, "7000/2 1234": { ...found, at: at(20) } };
    const lines = [createLogSpan(), createLogSpan({ line: "7000/2" })];
    expect(await refusal("before xid 1234", lines)).toMatchObject({
      code: "time.unclear",
      message: `"before xid 1234" is on 7000/1 at 0/3060 (${at(12)}) and on 7000/2 at 0/3060 (${at(20)})`,
      nextCommand: "refloat plan shop --at 'before xid 1234 on 7000/2'",
    });
    expect(await resolve("before xid 1234 on 7000/1", lines)).toMatchObject({ line: "7000/1", position: "0/3000" });
    log = { "7000/2 5": found };
    expect(await resolve("xid 5", lines)).toMatchObject({ line: "7000/2" });
  });

  it("keeps a name whole that has words of its own, and takes quotes off", async () => {
    log = { "7000/1 end of day": found, "7000/1 end of orders": found };
    expect(await resolve("restore point end of day")).toMatchObject({ what: "restore point end of day" });
    expect(await resolve('restore point "end of orders" of orders')).toMatchObject({
      what: "restore point end of orders",
    });
    expect(await refusal("restore point end of orders")).toMatchObject({ code: "log.unknown-target" });
  });
});
