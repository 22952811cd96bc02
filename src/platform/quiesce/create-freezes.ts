/** The port of freezes: starts a keeper for each, tells it when to thaw, and starts another where one was killed. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { FreezeEnd, FreezeRequest, FreezeStart, Freezes, HeldFreeze } from "../../core/ports/freezes.ts";
import { linesOf } from "../../core/quiesce/quiesce-lines.ts";
import { quiesceTimeMs } from "../../core/quiesce/quiesce-time.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../base-environment.ts";
import { bindCommand } from "../bind-command.ts";
import { bindEnvironment } from "../bound-environment.ts";
import { makePrivateFolder } from "../private-folder.ts";
import { acquireProcessLock } from "../process-lock.ts";
import { programEntry } from "../program-files.ts";
import { systemClock } from "../system-clock.ts";
import { examineFreeze } from "./examine-freeze.ts";
import { type WrittenPlace, freezeObstacle } from "./freezable.ts";
import { keeperLockPath, readFrozenRecord } from "./frozen-record.ts";
import type { KeeperAnswer, KeeperRequest } from "./keeper-words.ts";

type Keeper = {
  /** Null when it has ended, or was killed. */
  readonly next: () => Promise<KeeperAnswer | null>;
  readonly askForThaw: () => void;
};

/** In a session of its own, so that neither Ctrl-C nor the end of a terminal reaches it, with nothing of our environment but what every login has. */
const startKeeper = (request: KeeperRequest): Keeper => {
  const child = spawn(process.execPath, [fileURLToPath(programEntry("freeze-keeper"))], {
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
    env: {
      ...baseEnvironment(),
      REFLOAT_STEP: `refloat/quiesce/${request.service}`,
      REFLOAT_INSTANCE: `freeze-keeper/${request.service}`,
    },
  });
  // A keeper that cannot be started, or was killed, says nothing more; what it says nothing of is asked of its record.
  child.on("error", () => undefined);
  child.stdin.on("error", () => undefined);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write(`${JSON.stringify(request)}\n`);
  return {
    next: async () => {
      const { value, done } = await answers.next();
      return done === true ? null : (JSON.parse(value) as KeeperAnswer);
    },
    askForThaw: () => {
      if (child.stdin.writable) child.stdin.write("thaw\n");
    },
  };
};

const bindRequest = async (
  folder: string,
  { service, quiesce, bind }: FreezeRequest,
  isToFreeze: boolean,
): Promise<KeeperRequest> => {
  const { variables, secrets } = await bindEnvironment(bind, quiesce.environment);
  const lines = linesOf(quiesce);
  return {
    folder,
    service,
    quiesce,
    freeze: isToFreeze ? await bindCommand(bind, lines.freeze, "freeze line") : null,
    thaw: await bindCommand(bind, lines.thaw, "thaw line"),
    isWhole: quiesce.filesystem !== undefined,
    variables: quiesce.filesystem === undefined ? variables : { REFLOAT_FILESYSTEM: quiesce.filesystem },
    secrets,
    atMostMs: quiesceTimeMs(quiesce),
  };
};

const endOf = ({ because, fromAt, toAt, heldMs, stuck }: KeeperAnswer & { readonly type: "ended" }): FreezeEnd => ({
  because,
  fromAt,
  toAt,
  heldMs,
  stuck,
});

/** Of a keeper that was killed: when it began is not known, and does not matter. */
const lost = (stuck: string | null): FreezeEnd => {
  const now = systemClock.now().toISOString();
  return { because: "lost", fromAt: now, toAt: now, heldMs: 0, stuck };
};

const busyError = (service: string): RefloatError =>
  new RefloatError("run.in-progress", `${service} is held still by another capture`, {
    hint: "take this point when that one has ended",
    nextCommand: `refloat points ${service}`,
  });

/**
 * @param folder of this installation, for records and locks; made when it is first needed
 * @param written what has to go on writing while a file system is frozen
 */
export const createFreezes = (folder: string, written: () => Promise<readonly WrittenPlace[]>): Freezes => {
  const left: Freezes["left"] = async (service) => {
    const record = await readFrozenRecord(folder, service);
    if (record === null) return null;
    const lock = acquireProcessLock(keeperLockPath(folder, service), 0);
    lock?.release();
    // Who held the lock may have thawed in between.
    return lock !== null && (await readFrozenRecord(folder, service)) === null
      ? null
      : { ...record, isKept: lock === null };
  };

  const thawLeft: Freezes["thawLeft"] = async (request) => {
    const record = await readFrozenRecord(folder, request.service);
    if (record === null) return null;
    const answer = await startKeeper(await bindRequest(folder, request, false)).next();
    if (answer === null) return lost("the process that thaws was killed, or could not be started");
    return answer.type === "ended" ? endOf(answer) : null;
  };

  /** Whatever became of a keeper that says nothing more: is anything left frozen? */
  const afterLoss = async (request: FreezeRequest): Promise<FreezeEnd> => {
    try {
      const ended = await thawLeft(request);
      if (ended !== null) return ended;
      const isLeft = (await readFrozenRecord(folder, request.service)) !== null;
      return lost(isLeft ? "the process that kept the freeze was killed" : null);
    } catch (error) {
      return lost(error instanceof Error ? error.message : String(error));
    }
  };

  const hold = (keeper: Keeper, request: FreezeRequest, leftSince: string | null): HeldFreeze => {
    const ended = keeper.next().then(
      (answer) => (answer?.type === "ended" ? endOf(answer) : afterLoss(request)),
      () => afterLoss(request),
    );
    return {
      leftSince,
      ended,
      thaw: () => {
        keeper.askForThaw();
        return ended;
      },
    };
  };

  const obstacleTo = async ({ quiesce, paths }: FreezeRequest): Promise<string | null> =>
    quiesce.filesystem === undefined ? null : freezeObstacle(quiesce.filesystem, paths ?? {}, await written());

  const freeze: Freezes["freeze"] = async (request): Promise<FreezeStart> => {
    const { service, signal } = request;
    await makePrivateFolder(folder);
    const bound = await bindRequest(folder, request, true);
    const obstacle = await obstacleTo(request);
    if (obstacle !== null) return { kind: "failed", why: obstacle, end: await thawLeft(request) };
    signal.throwIfAborted();
    const keeper = startKeeper(bound);
    signal.addEventListener("abort", keeper.askForThaw, { once: true });
    try {
      const answer = await keeper.next();
      if (answer?.type === "busy") throw busyError(service);
      if (answer?.type === "frozen") return { kind: "frozen", freeze: hold(keeper, request, answer.leftSince) };
      if (answer?.type === "idle") return { kind: "failed", why: answer.why ?? "nothing was frozen", end: null };
      if (answer !== null)
        return { kind: "failed", why: answer.why ?? "what was left frozen cannot be thawed", end: endOf(answer) };
      const end = (await readFrozenRecord(folder, service)) === null ? null : await afterLoss(request);
      return { kind: "failed", why: "the process that keeps the freeze was killed, or could not be started", end };
    } finally {
      signal.removeEventListener("abort", keeper.askForThaw);
    }
  };

  return { left, freeze, thawLeft, examine: (request) => examineFreeze(request, () => obstacleTo(request)) };
};
