/** What all readers of the file share: the text with its places, where to report, and what drivers there are. */
import type { DriverRegistry } from "../ports/driver.ts";
import type { DiagnosticCollector, Report } from "./diagnostic-collector.ts";
import type { JsonPath } from "./template.ts";
import { type SourceNode, keyPlaceAt, valuePlaceAt } from "./yaml-source.ts";

type Said = Omit<Report, "place" | "path">;

export class Reading {
  readonly root: SourceNode;
  readonly registry: DriverRegistry;
  readonly collector: DiagnosticCollector;

  constructor(root: SourceNode, registry: DriverRegistry, collector: DiagnosticCollector) {
    this.root = root;
    this.registry = registry;
    this.collector = collector;
  }

  /** Points at the key that ends the path. @param subject the path that the message is about, if not the same */
  atKey(path: JsonPath, said: Said, subject: JsonPath = path): void {
    this.collector.report({ ...said, place: keyPlaceAt(this.root, path), path: subject });
  }

  /** Points at the value at the path. */
  atValue(path: JsonPath, said: Said): void {
    this.collector.report({ ...said, place: valuePlaceAt(this.root, path), path });
  }
}
