/**
 * Holding commits by a lock that the application shares around each of its transactions, wherever those commit: who has it alone knows that none is under way.
 * Nothing has to be thawed: the lock ends with its session, so with this process however it ends, and by the server's own clock when the time is over.
 */
import type { CommitLockDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { HeldLock } from "../ports/driver.ts";
import type { Clock } from "../ports/environment.ts";
import { formatDuration } from "../time/duration.ts";
import { type StandStill, type StandStillOptions, type Stillness, missedWarning } from "./stillness.ts";

type LockToHold = { readonly lock: CommitLockDeclaration; readonly atMostMs: number };

/** @throws the signal's reason; RefloatError config.invalid for a component that keeps no such lock */
export const holdByLock = async (
  clock: Clock,
  { service, access, signal, tell, held: heldFor }: StandStillOptions,
  { lock, atMostMs }: LockToHold,
): Promise<StandStill> => {
  const { name } = service;
  const driver = access.driver(lock.in).commitLock;
  if (driver === undefined)
    throw new RefloatError("config.invalid", `${lock.in} keeps no lock that ${name} could be held by`, {
      hint: "quiesce.lock.in names a component of type postgres or postgres-cluster",
    });
  const [fromAt, beganMs] = [clock.now().toISOString(), clock.monotonicMs()];
  const missed = (why: string): Stillness => {
    tell(missedWarning(name, why, heldFor));
    return { kind: "missed", why };
  };
  let held: HeldLock;
  try {
    const request = { key: lock.advisory, database: lock.database ?? null, atMostMs };
    held = await driver.hold(await access.context(lock.in), request);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code === "bug") throw error;
    const stillness = missed(error.message);
    return { isFrozen: false, end: async () => stillness, stuck: () => null };
  }
  tell({ type: "frozen" });
  const release = async (): Promise<Stillness> => {
    const wasHeld = await held.release();
    const heldMs = Math.round(clock.monotonicMs() - beganMs);
    tell({ type: "thawed", heldMs });
    if (wasHeld) return { kind: "quiesced", frozen: { fromAt, toAt: clock.now().toISOString(), heldMs, by: "lock" } };
    return missed(
      heldMs >= atMostMs
        ? `the ${formatDuration(atMostMs)} of atMost were over before all was read`
        : "the server has ended the session of the lock before all was read",
    );
  };
  let ending: Promise<Stillness> | null = null;
  return { isFrozen: true, end: () => (ending ??= release()), stuck: () => null };
};
