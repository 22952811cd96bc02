/** notify: tells of captures that are overdue, each once, and tries the targets. Captures and recoveries tell of themselves. */
import { asOf, composePoints } from "../core/points/compose-points.ts";
import { overdueSince } from "../core/points/overdue.ts";
import type { NotifyOutcome } from "../core/ports/notifier.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { Notification } from "../model/notification.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type Notified = {
  /** Services whose next point is overdue, and since when. */
  readonly overdue: readonly { readonly service: string; readonly since: string }[];
  readonly outcomes: readonly NotifyOutcome[];
};

const base = ({ clock, host }: Workbench, service: string) => ({
  schema: "refloat/notification/v1" as const,
  at: clock.now().toISOString(),
  service,
  host: host.hostname,
  run: null,
  state: null,
});

/** @throws RefloatError notify.no-target, vault.* */
export const notifyOverdue = async (bench: Workbench): Promise<Notified> => {
  await requireTargets(bench);
  const { services } = await bench.declaration();
  const points = composePoints(await (await bench.vault()).points.list());
  const now = bench.clock.now().toISOString();
  const overdue: { service: string; since: string }[] = [];
  for (const { name, schedule } of Object.values(services)) {
    const newest = points.find(({ manifest }) => manifest.service === name);
    const last = newest === undefined ? null : asOf(newest);
    const since = overdueSince(schedule, last, now, bench.host.timeZone);
    if (since === null) continue;
    overdue.push({ service: name, since });
    const late = formatDuration(Math.round((Date.parse(now) - Date.parse(since)) / 60_000) * 60_000);
    const notification: Notification = {
      ...base(bench, name),
      event: "capture-overdue",
      title: `the next point of ${name} is overdue`,
      message: `it was due ${late} ago, at ${since}; the last one is of ${last ?? "never"}`,
      next: `refloat capture ${name}`,
    };
    await bench.notifier.tellOnce(`overdue/${name}`, since, notification);
  }
  return { overdue, outcomes: await bench.notifier.settle() };
};

/** To each target, whatever it listens to. @throws RefloatError notify.no-target */
export const notifyTest = async (bench: Workbench): Promise<Notified> => {
  await requireTargets(bench);
  bench.notifier.tell({
    ...base(bench, "test"),
    event: "test",
    title: "Refloat can reach you",
    message: "this is a test: nothing has happened",
    next: "",
  });
  return { overdue: [], outcomes: await bench.notifier.settle() };
};

const requireTargets = async (bench: Workbench): Promise<void> => {
  if (((await bench.declaration()).notify ?? []).length > 0) return;
  throw new RefloatError("notify.no-target", "refloat.yaml has no notify:, so nobody is told of anything", {
    state: "nothing was changed",
    hint: "docs/observing.md shows webhook and mail",
  });
};
