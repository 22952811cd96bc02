import { expect, it } from "vitest";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { LogSpan } from "../../model/log-span.ts";
import type { LogChange } from "../ports/logs.ts";
import type { Workbench } from "../ports/workbench.ts";
import { readLogChanges } from "./log-changes.ts";
import { createLogSpan, minuteOfLog as at } from "../../testing/log-span.ts";

const change = (minute: number, parts: Partial<LogChange> = {}): LogChange => ({
  at: at(minute),
  target: `xid ${minute}`,
  what: "rows: 300 updated",
  subjects: [],
  weight: 300,
  isNotable: false,
  ...parts,
});

/** @param spans what the vault holds @param logged by line, what stands in it */
const told = async (
  spans: readonly LogSpan[],
  logged: Readonly<Record<string, readonly LogChange[]>>,
  since = at(10),
) => {
  const read = async function* read(_context: unknown, { span: { line } }: { readonly span: LogSpan }) {
    yield* logged[line] ?? [];
  };
  const bench = {
    registry: { components: new Map([["postgres-cluster", { logs: { changes: { read } } }]]) },
    directories: {
      work: async () => ({ path: "/nowhere", remove: async () => undefined }),
      state: async () => "/nowhere",
    },
    vault: async () => ({
      logs: { spans: async () => spans, reader: async () => ({ read: () => undefined }), positionAt: async () => null },
    }),
  } as unknown as Workbench;
  const component = (name: string) => ({ name, type: "postgres-cluster", options: {}, checks: [] });
  const service = {
    name: "shop",
    components: { orders: component("orders"), stock: component("stock") },
  } as unknown as ServiceDeclaration;
  const { signal } = new AbortController();
  return (await readLogChanges(bench, { service, since, signal })).map(({ words }) => words);
};

it("tells what came since, oldest first, in words that name no more than is needed", async () => {
  expect(await told([createLogSpan()], { "7000/1": [change(9), change(20), change(12)] })).toEqual([
    "before xid 12",
    "before xid 20",
  ]);
});

it("names the component where another one has a log, however old it is, since --at looks in that one too", async () => {
  const old = createLogSpan({ component: "stock", line: "8000/1", toAt: at(5) });
  expect(await told([old, createLogSpan()], { "7000/1": [change(12)] })).toEqual(["before xid 12 of orders"]);
});

it("names the line where the component has another one, on which the same number may stand", async () => {
  const spans = [createLogSpan({ toAt: at(15) }), createLogSpan({ line: "7000/2", fromAt: at(16) })];
  expect(await told(spans, { "7000/1": [change(12)], "7000/2": [change(20)] })).toEqual([
    "before xid 12 on 7000/1",
    "before xid 20 on 7000/2",
  ]);
});

it("tells the largest twelve, and the newest of those that are notable however little they wrote", async () => {
  const small = Array.from({ length: 40 }, (_none, index) => change(11, { target: `xid 1${index}`, weight: index }));
  const restorePoint = change(12, { target: "restore point a", weight: 0, isNotable: true });
  const words = await told([createLogSpan()], { "7000/1": [restorePoint, ...small] });
  expect(words).toHaveLength(13);
  expect(words).toContain("before restore point a");
  expect(words).toContain("before xid 139");
  expect(words).not.toContain("before xid 127");
});
