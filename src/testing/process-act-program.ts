/** A program that starts or stops one application by the process driver and may be killed in the middle of it; see kill-points.ts. */
import "./kill-points.ts";
import { readFileSync } from "node:fs";
import type { RunningProcess } from "../core/ports/driver.ts";
import type { TestContextOptions } from "./driver-context.ts";

/** The request as JSON in the file named by the first argument. */
export type ProcessAct = {
  readonly context: TestContextOptions<unknown>;
  readonly act:
    | { readonly kind: "start"; readonly name: string; readonly release: string; readonly port: number }
    | { readonly kind: "stop"; readonly running: RunningProcess };
};

const { processBundle } = await import("../drivers/process/process-bundle.ts");
const { createTestContext } = await import("./driver-context.ts");

const request = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as ProcessAct;
const runtime = processBundle.components[0]?.runtime;
if (runtime === undefined) throw new Error("the bundle has no process driver");
const context = createTestContext(request.context);
if (request.act.kind === "start") await runtime.start(context, request.act);
else await runtime.stop(context, request.act.running);
