/**
 * Counters of a recovered server go on where those of the side that it replaces have stopped: no order gets a number that another order has had. What each
 * technology does is kept in the recovered folder for the report: the act itself tells nobody.
 */
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { type FolderRecord, folderRecord } from "./folder-record.ts";

const recordSchema = z.object({
  /** Where the side that it was read of had stopped: another switch has another one. */
  stoppedAt: z.string(),
  moved: z.array(z.string()),
  left: z.array(z.string()),
});
export type CarriedRecord = z.infer<typeof recordSchema>;

/** One sentence for each. */
export type Said = Pick<CarriedRecord, "moved" | "left">;

/** Nothing to say leaves no record. */
export const carriedRecordOf = (
  name: string,
  words: { readonly what: string; readonly hint: string },
): FolderRecord<CarriedRecord> => {
  const record = folderRecord(name, recordSchema, words);
  return {
    ...record,
    write: (folder, content) =>
      content.moved.length + content.left.length === 0 ? record.remove(folder) : record.write(folder, content),
  };
};

export type Carrying<Context> = {
  /** What they are called: `sequences`. */
  readonly what: string;
  readonly record: FolderRecord<CarriedRecord>;
  /** Of a folder that no server runs on; null where that cannot be told. */
  readonly whereStopped: (context: Context, stopped: string) => Promise<string | null>;
  readonly isInstance: (folder: string) => Promise<boolean>;
  /** Says which were moved, and which could not be. @throws RefloatError what keeps all others from being moved */
  readonly moveAll: (context: Context, stopped: string, instance: string, said: Said) => Promise<void>;
};

/**
 * Nothing of it keeps a switch from going on. Idempotent.
 * @returns by the folder of the side that served until now and that of the one that will
 */
export const createCarryOver =
  <Context extends { readonly signal: AbortSignal }>({
    what,
    record,
    whereStopped,
    isInstance,
    moveAll,
  }: Carrying<Context>) =>
  async (context: Context, stopped: string, instance: string): Promise<void> => {
    const stoppedAt = await whereStopped(context, stopped);
    const before = await record.read(instance).catch(() => null);
    const isOfThisSwitch = before !== null && before.stoppedAt === stoppedAt;
    if (!(await isInstance(instance))) {
      // What is switched back is as its users left it. What was made ready for this very switch by an attempt that was killed keeps what is said of it.
      if (!isOfThisSwitch) await record.remove(instance);
      return;
    }
    const said: Said = { moved: isOfThisSwitch ? before.moved : [], left: [] };
    try {
      await moveAll(context, stopped, instance, said);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof RefloatError)) throw error;
      const which = said.moved.length + said.left.length === 0 ? what : `all other ${what}`;
      said.left.push(
        `${which} were left as they are in the point, and may give out numbers that the old side has given out: ${error.message}`,
      );
    }
    await record.write(instance, { stoppedAt: stoppedAt ?? "", ...said });
  };

/** For the report, of the folder that serves. @throws RefloatError target.failed */
export const describeCarriedIn = async (
  { read }: FolderRecord<CarriedRecord>,
  folder: string,
): Promise<readonly string[]> => {
  const found = await read(folder);
  return found === null ? [] : [...found.moved, ...found.left];
};
