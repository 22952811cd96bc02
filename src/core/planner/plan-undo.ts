/** Plans the undo of a run: the old side comes back behind the stable names. Whether a loss is accepted was settled before. */
import type { Plan, PlanForecast, PlanIntent } from "../../model/plan.ts";
import { formatList } from "../text/quantity.ts";
import { type ComponentOrder, componentOrder } from "./component-order.ts";
import { isEmptied } from "./cutover-steps.ts";
import { forewarnings } from "./forecast-warnings.ts";
import { forecastSteps } from "./forecast-steps.ts";
import { planDigest } from "./plan-digest.ts";
import type { UndoInput } from "./planner-input.ts";
import { emptiedBy, savesFirst, switchedBack, undoSteps } from "./undo-steps.ts";

/** @param kept where what is in use of it now is put away; nothing where the undo leaves it alone */
const silentWords = (component: string, found: string, kept: string | undefined): string =>
  kept === undefined
    ? `${component} does not answer (${found}): no point of the service is taken, and what the new sides have taken since the cutover stays in them alone`
    : `the new side of ${component} does not answer (${found}): no point of it is taken, and what it has taken since the cutover stays in ${kept} alone`;

export const planUndo = (input: UndoInput): Plan => {
  const { service, undoes, components } = input;
  const { traffic, ...left } = undoes;
  const order = componentOrder(input.graph);
  const scope = switchedBack(input, order);
  const intent: PlanIntent = {
    schemaVersion: 1,
    purpose: "undo",
    service: service.name,
    declaration: service,
    point: null,
    undoes: {
      ...left,
      exchanges: { ...undoes.exchanges },
      releases: { ...undoes.releases },
      ...(undoes.positions === undefined ? {} : { positions: { ...undoes.positions } }),
      ...(traffic === undefined ? {} : { traffic: [...traffic] }),
    },
    ...(input.failback === undefined ? {} : { failback: input.failback }),
    scope: [...scope],
    rebound: [...input.rebound],
    cutover: true,
    steps: undoSteps(input, order),
  };
  const steps = forecastSteps(
    intent.steps,
    {
      service,
      components,
      captured: {},
      ...(input.provisions === undefined ? {} : { provisions: input.provisions }),
      recoveredBelow: () => [],
      ...(input.failback === undefined ? {} : { away: { ...input.failback, components: {} } }),
      exchange: (name) => undoes.exchanges[name] ?? { incoming: name, outgoing: name },
    },
    input.history,
    input.captured,
  );
  return {
    digest: planDigest(intent),
    intent,
    forecast: {
      at: input.now,
      asked: null,
      ...steps,
      loses: input.losses.map(({ component, about, lostMs }) => ({
        component,
        lostMs: Math.round(lostMs),
        about,
        ...(savesFirst(input) ? { saved: "a point is taken first" } : {}),
      })),
      keeps: scope.map((name) => `${name} as it is now, ${undoes.exchanges[name]?.outgoing ?? name}`),
      closer: null,
      space: [],
      warnings: [
        ...emptyWarnings(input, order, scope),
        ...forewarnings(input.components, scope),
        ...(undoes.acceptLoss ? (input.silent ?? []) : []).map(({ component, found }) => ({
          code: "undo.silent-side",
          message: silentWords(component, found, undoes.exchanges[component]?.outgoing),
        })),
        ...(input.returns ?? []).map(({ component, note }) => ({
          code: "undo.old-side",
          message: `the old side of ${component}: ${note}`,
        })),
      ],
    },
  };
};

/** An undo that does not bring the service back says so before it is done. */
const emptyWarnings = (input: UndoInput, order: ComponentOrder, scope: readonly string[]): PlanForecast["warnings"] => {
  const emptied = emptiedBy(input, scope);
  if (emptied.length === 0) return [];
  const stopped = order.names.filter(
    (name) => input.components[name]?.capabilities.hasRuntime === true && isEmptied(name, emptied, order),
  );
  const held = input.service.cutover.length > 0 ? " and traffic stays held" : "";
  const after =
    stopped.length === 0
      ? `nobody is asked as a user would${held}`
      : `${formatList(stopped)} ${stopped.length === 1 ? "is" : "are"} stopped and not started again${held}`;
  return [
    {
      code: "undo.to-nothing",
      message: `nothing stood behind ${formatList(emptied)} before run ${input.undoes.run}, so nothing is put back: ${after}`,
    },
  ];
};
