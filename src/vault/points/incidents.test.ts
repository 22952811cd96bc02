import { afterEach, beforeEach, expect, it } from "vitest";
import { openIncident } from "../../core/points/open-incident.ts";
import type { Clock } from "../../core/ports/environment.ts";
import type { IncidentStore } from "../../core/ports/vault-incidents.ts";
import type { Repository } from "../../core/ports/vault.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { createRepository } from "../repository/create-repository.ts";
import { createIncidents } from "./incidents.ts";

let folder: TestFolder;
let repository: Repository;

beforeEach(async () => {
  folder = await createTestFolder("refloat-incidents");
  repository = await createRepository(`${folder.path}/vault`, "password", { clock: systemClock });
});

afterEach(async () => {
  await repository.close();
  await folder.remove();
});

const at = (offsetMs: number): IncidentStore => {
  const clock: Clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + offsetMs) };
  return createIncidents({ repository, clock, lockFor: async () => null });
};

const since = "2026-11-22T13:21:40.000Z";
const by = "ada@h";

it("are open until they are closed, and change meanwhile", async () => {
  const incidents = at(0);
  const opened = await incidents.open({ service: "shop", since, reason: null, by });
  expect(await incidents.list("shop")).toEqual([opened]);
  const moved = { since: "2026-11-22T13:00:00.000Z", reason: "prices are 0", by };
  const changed = await incidents.change(opened, moved);
  expect(await incidents.list("shop")).toEqual([{ ...opened, since: moved.since, reason: moved.reason }]);
  const closed = await incidents.close(changed, "bob@h");
  expect(await incidents.list()).toEqual([closed]);
  expect(openIncident(await incidents.list())).toBeNull();
  expect(await incidents.records("shop")).toHaveLength(3);
});

it("that a machine with a slow clock closes are closed", async () => {
  const opened = await at(0).open({ service: "shop", since, reason: null, by });
  await at(-86_400_000).close(opened, by);
  expect(openIncident(await at(0).list("shop"))).toBeNull();
});

it("of which two machines open one each count as the one that began first", async () => {
  const first = await at(0).open({ service: "shop", since: "2026-11-22T13:00:00.000Z", reason: null, by });
  const second = await at(1_000).open({ service: "shop", since, reason: null, by });
  expect(openIncident(await at(0).list("shop"))?.id).toBe(first.id);
  await at(0).close(first, by);
  expect(openIncident(await at(0).list("shop"))?.id).toBe(second.id);
});
