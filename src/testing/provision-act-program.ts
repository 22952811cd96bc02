/** A program that provisions or tears down by a driver and may be killed in the middle of it; see kill-points.ts. */
import "./kill-points.ts";
import { readFileSync } from "node:fs";
import type { ProvisionOwner } from "../core/ports/provision.ts";
import type { TestContextOptions } from "./driver-context.ts";

/** The request as JSON in the file named by the first argument. */
export type ProvisionAct = {
  readonly type: string;
  readonly context: TestContextOptions<unknown>;
  readonly act: "apply" | "destroy";
  readonly owner: ProvisionOwner;
  readonly marker: string;
};

const { driverRegistry } = await import("../driver-registry.ts");
const { createTestContext } = await import("./driver-context.ts");

const { type, context, act, owner, marker } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as ProvisionAct;
const driver = driverRegistry.provisions.get(type);
if (driver === undefined) throw new Error(`there is no provision of type ${type}`);
await driver[act]({ ...createTestContext(context), marker }, owner);
