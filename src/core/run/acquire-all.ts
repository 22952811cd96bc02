/**
 * The leases of several services, for work that needs all of them: taken in one order by everybody, so that two who want the same never wait for
 * each other; all or none; given back together. As each single one they need no renewal: the operating system holds them for the process, and
 * frees them when it dies.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import type { Leases } from "../ports/engine.ts";
import { formatList } from "../text/quantity.ts";

/**
 * @param explain says more of a lease that is held by somebody else
 * @throws RefloatError run.in-progress naming each service that is held, and by whom; journal.failed
 */
export const acquireAll = async (
  leases: Pick<Leases, "acquire">,
  services: readonly string[],
  what: string,
  explain: (service: string, error: RefloatError) => Promise<RefloatError> = async (_, error) => error,
): Promise<{ readonly release: () => Promise<void> }> => {
  const taken: { readonly release: () => Promise<void> }[] = [];
  const release = async (): Promise<void> => {
    for (const lease of taken.splice(0).toReversed()) await lease.release();
  };
  const refused: { readonly service: string; readonly error: RefloatError }[] = [];
  try {
    for (const service of [...new Set(services)].toSorted()) {
      try {
        taken.push(await leases.acquire(service, what));
      } catch (error) {
        if (!(error instanceof RefloatError) || error.code !== "run.in-progress") throw error;
        // The others are asked all the same: who has to wait wants to know for whom.
        refused.push({ service, error: await explain(service, error) });
      }
    }
  } catch (error) {
    await release();
    throw error;
  }
  const [first] = refused;
  if (first === undefined) return { release };
  await release();
  if (refused.length === 1) throw first.error;
  throw new RefloatError("run.in-progress", refused.map(({ error }) => error.message).join("; "), {
    cause: first.error,
    state: "nothing was begun",
    hint: `follow them, or stop them where they run: ${formatList(refused.map(({ service }) => service))} are all needed`,
    nextCommand: "refloat runs",
    context: { services: refused.map(({ service }) => service) },
  });
};
