/**
 * Where single rows come from: the point of a moment; of a whole server whose log was received the very moment. The newest point as it is when none is named, since
 * the log leads on to what is live.
 */
import type { RecoveryPoint } from "../../model/manifest.ts";
import { chooseMoment } from "../points/choose-moment.ts";
import { choosePoint } from "../points/choose-point.ts";
import type { PointSource } from "../ports/row-mending.ts";
import type { Workbench } from "../ports/workbench.ts";
import { openComponent } from "./open-place.ts";
import { pointSource } from "./point-source.ts";

/** @throws RefloatError time.unclear, mark.unknown, point.*, component.unknown, log.*, vault.* */
export const momentSource = async (
  bench: Workbench,
  service: string,
  component: string,
  at: string | null,
): Promise<{ readonly point: RecoveryPoint; readonly source: PointSource }> => {
  const request = { service, at, only: [component] };
  const chosen = await choosePoint(bench, request, bench.clock.now());
  const opened = await openComponent(bench, chosen.point, component);
  if (at === null || bench.registry.components.get(opened.captured.driver)?.excerpts === undefined)
    return { point: chosen.point, source: pointSource(opened) };
  const { point, replays } = await chooseMoment(bench, request, bench.clock.now());
  const planned = replays[component];
  if (planned === undefined) return { point: chosen.point, source: pointSource(opened) };
  const { logs } = await bench.vault();
  const replay = { ...planned, logs: await logs.reader({ service, component }) };
  return { point, source: pointSource(await openComponent(bench, point, component), replay) };
};
