/** A program that does one act of the files or the sqlite driver and may be killed in the middle of it; see kill-points.ts. */
import "./kill-points.ts";
import { readFileSync } from "node:fs";
import type { Exchange, ExchangeObservation, InstanceTarget } from "../core/ports/driver.ts";
import type { CapturedComponent } from "../model/manifest.ts";

/** The request as JSON in the file named by the first argument. */
export type PathAct = {
  readonly driver?: "files" | "sqlite";
  readonly path: string;
  readonly folder: string;
  readonly vault: string;
  readonly target: InstanceTarget;
  readonly act:
    | { readonly kind: "capture" }
    | { readonly kind: "exchange"; readonly exchange: Exchange; readonly expected: ExchangeObservation }
    | { readonly kind: "restore"; readonly captured: CapturedComponent }
    | { readonly kind: "drop" }
    | { readonly kind: "discard"; readonly outgoing: string };
};

const { filesBundle } = await import("../drivers/files/files-bundle.ts");
const { sqliteBundle } = await import("../drivers/sqlite/sqlite-bundle.ts");
const { createTestContext } = await import("./driver-context.ts");
const { createDirectoryReader, createDirectorySink } = await import("./directory-vault.ts");

const request = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as PathAct;
const [driver] = (request.driver === "sqlite" ? sqliteBundle : filesBundle).components;
if (driver === undefined) throw new Error("the bundle has no driver");
const context = createTestContext<unknown>({ options: { path: request.path }, folder: request.folder });
const { act, target } = request;
switch (act.kind) {
  case "capture":
    await driver.capture(context, createDirectorySink(request.vault), null);
    break;
  case "exchange":
    await driver.switching.exchange(context, act.exchange, act.expected);
    break;
  case "restore":
    await driver.instances.restore(context, target, createDirectoryReader(request.vault), act.captured);
    break;
  case "drop":
    await driver.instances.drop(context, target);
    break;
  case "discard":
    await driver.switching.discard(context, act.outgoing);
    break;
}
