/** assess: what is damaged, and the smallest cure. */
import { z } from "zod";
import type { Workbench } from "../../core/ports/workbench.ts";
import type { Cure } from "../../model/assessment.ts";
import { shortId } from "../../model/identifiers.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import { type Assessed, assess } from "../../operations/assess.ts";
import { plan } from "../../operations/plan.ts";
import { renderAssessment } from "../../render/assessment-screen.ts";
import { describeLoss } from "../../render/plan-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { partsInput, serviceArgument, serviceInput } from "../words.ts";

export const assessCommand = defineCommand({
  name: "assess",
  group: "At 3 a.m.",
  summary: "what is damaged, and the smallest cure",
  about: [
    "Asks the probe, checks and invariants of what is live, compares it with a recovery point, tables row by row, and says what looks damaged: rows that are gone, " +
      "columns that have one value in nearly all rows that differ, tables and files that are missing, components that cannot be read. Rows that came since are " +
      "work, not damage, and are told apart.",
    "Then it offers cures, the smallest first, with the time and the loss of each: rows put back alone, a file taken out, the damaged components recovered, the whole " +
      "service recovered. What looks damaged is a reason to look, not a proof; each cure shows what it does and asks before it does it.",
    "Of a whole cluster or server (postgres-cluster, mariadb-server) it says which databases are gone and how much was written since, and compares rows only of what --only names: a table is read by a temporary " +
      "server of no more than it needs, made in TMPDIR and removed, as of the moment of --against where the received log reaches it; a database by one of all of it.",
    "Reads the source as a capture does, with the same limits; the rows of tables that differ are loaded into temporary tables there. Changes nothing.",
  ],
  arguments: [serviceArgument],
  options: [
    {
      name: "against",
      value: "TIME",
      about:
        "the point to compare with, as --at of refloat plan; when left out the newest one whose checks passed and that no incident doubts",
    },
    {
      name: "only",
      value: "COMPONENT[:TABLE]",
      repeatable: true,
      about:
        "only these components; of a whole cluster or server tables, as mend names them: cluster:bench/orders, or every table of a database: cluster:bench",
      completes: "components",
    },
  ],
  examples: [
    { line: "refloat assess shop", about: "against the newest sound point" },
    { line: 'refloat assess shop --against "before upgrade 2.5.0"', about: "since a mark" },
    { line: "refloat assess shop --only cluster:bench/orders", about: "one table of a whole cluster" },
  ],
  exits: [3, 4, 7],
  input: z.object({
    service: serviceInput,
    against: z.string().nullable().default(null),
    only: partsInput,
  }),
  act: async (request, { bench: open, output, signal }) => {
    const bench = await open();
    const screen = output.screen(bench.host.timeZone);
    const found = await during(output, bench.clock, "comparing", () =>
      assess(bench, { ...request, warn: (what) => output.note(`warning ${what}\n`) }, signal),
    );
    const recoveries = await during(output, bench.clock, "planning", () => recoveryCures(bench, found, signal));
    const at = bench.clock.now().toISOString();
    const { point, answers, components, doubts } = found;
    const shown = {
      service: found.service.name,
      doubts: [...doubts],
      answers: [...answers],
      components: [...components],
      at,
    };
    const cures = [...found.cures, ...recoveries];
    return answer(
      "assess",
      { ...shown, cures, point: point.id, consistentAt: point.manifest.consistentAt },
      renderAssessment({ ...shown, cures, point }, screen),
    );
  },
});

/** Each is a plan of its own, which looks at the target: of many components the common ones are enough. */
const mostAlone = 4;

/** What a recovery of the damaged components, and one of all, would take and lose: plans, which are kept and can be executed. */
const recoveryCures = async (
  bench: Workbench,
  { service, point, components, answers }: Assessed,
  signal: AbortSignal,
): Promise<readonly Cure[]> => {
  const damaged = components.filter((component) => component.damaged).map(({ component }) => component);
  const failed = answers.some(({ status }) => status === "failed");
  if (damaged.length === 0 && !failed) return [];
  const whole = Object.keys(point.manifest.components);
  // Each alone, too: what is damaged in two ways may be mended in two, and what one of them loses the other may not.
  const alone = damaged.length > 1 && damaged.length <= mostAlone ? damaged.map((name) => [name]) : [];
  const scopes: (readonly string[] | null)[] = [
    ...alone,
    ...(damaged.length === 0 || damaged.length === whole.length ? [] : [damaged]),
    null,
  ];
  const cures: Cure[] = [];
  for (const only of scopes) cures.push(await recoveryCure(bench, service.name, point.id, only, signal));
  return cures;
};

const recoveryCure = async (
  bench: Workbench,
  service: string,
  point: string,
  only: readonly string[] | null,
  signal: AbortSignal,
): Promise<Cure> => {
  const at = shortId(point);
  const base = {
    kind: "recover" as const,
    words: only === null ? `recover all of ${service}` : `recover ${only.join(", ")}`,
    component: only?.length === 1 ? (only[0] ?? null) : null,
    command: `refloat recover ${service} --at ${at}${only === null ? "" : ` --only ${only.join(",")}`}`,
  };
  try {
    const request = { service, at, only, cutover: true, acceptLoss: false, approve: false };
    const { digest, forecast } = await plan(bench, request, signal);
    return {
      ...base,
      command: `refloat recover --plan ${shortId(digest)}`,
      predictedMs: forecast.totalMs.likely,
      loses: forecast.loses
        .filter(({ lostMs }) => lostMs > 0)
        .map((loss) => describeLoss(loss, forecast.at, bench.host.timeZone)),
      leaves: [],
      refused: null,
    };
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message } = toRefloatError(thrown);
    if (code === "bug") throw thrown;
    return { ...base, predictedMs: null, loses: [], leaves: [], refused: message };
  }
};
