/** The run that a way home leads back from: in this machine's journal, or in its copy in the vault. */
import { shortId } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { RunRecord } from "../../model/run.ts";
import type { Workbench } from "../ports/workbench.ts";
import type { RunCopy } from "../ports/vault-points.ts";
import { switchedComponents } from "../run/switched-components.ts";
import { formatList } from "../text/quantity.ts";

export type RunAway = { readonly record: RunRecord; readonly plan: Plan };

/** @param text a number of this journal, or a uid or its first eight letters @throws RefloatError run.unknown, run.wrong-state */
export const findRunAway = async (bench: Workbench, service: string, text: string): Promise<RunAway> => {
  const found = await readRun(bench, service, text);
  const { record } = found;
  const served = ["succeeded", "committed", "needs-operator"].includes(record.state);
  const why =
    record.service !== service
      ? `it is one of ${record.service}`
      : record.purpose === "undo"
        ? "it is an undo; name the run that recovered elsewhere"
        : !served
          ? `it is ${record.state}`
          : switchedComponents(record).length === 0
            ? "it did not cut over"
            : null;
  if (why === null) return found;
  throw new RefloatError("run.wrong-state", `no way leads home from run ${text}: ${why}`, {
    state: "nothing was changed",
    hint: known(await copiesOf(bench, service)),
    nextCommand: "refloat runs",
  });
};

const copiesOf = async (bench: Workbench, service: string): Promise<readonly RunCopy[]> =>
  (await (await bench.vault()).runCopies.list(service)).filter(({ state }) => state === "succeeded");

const known = (copies: readonly RunCopy[]): string =>
  copies.length === 0
    ? "the vault has no copy of a run of this service that succeeded"
    : `the vault knows ${formatList(
        copies.map(({ uid, savedAt, hostname }) => `${shortId(uid)} (ended ${savedAt} on ${hostname})`),
        5,
      )}`;

const readRun = async (bench: Workbench, service: string, text: string): Promise<RunAway> => {
  const journal = await bench.journal();
  const runs = await journal.listRuns();
  const isNumber = /^[1-9]\d{0,6}$/.test(text);
  const here = runs.filter(({ number, uid }) => (isNumber ? number === Number(text) : uid.startsWith(text)));
  const [own] = here;
  if (own !== undefined && here.length === 1) return journal.readRun(own.number);
  const copies = await copiesOf(bench, service);
  const fitting = isNumber ? [] : copies.filter(({ uid }) => uid.startsWith(text));
  const [one] = fitting;
  if (one !== undefined && fitting.length === 1)
    return journal.readCopy(await (await bench.vault()).runCopies.read(one.uid));
  const what =
    fitting.length > 1 || here.length > 1 ? `more than one run begins with ${text}` : `no run ${text} is known here`;
  throw new RefloatError("run.unknown", what, {
    state: "nothing was changed",
    hint: `${known(copies)}; a run of another machine is named by its uid`,
    nextCommand: "refloat runs",
  });
};
