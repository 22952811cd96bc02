/**
 * What every driver that directs traffic must do, asked of it with the real program and with users who come by it: what is seen before
 * is what a way back restores, an act that comes again changes nothing, what an act has left that was killed is found, and what somebody
 * else has directed meanwhile is left alone. A driver's own test opens a bench and calls this.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TrafficContext, TrafficDriver } from "../core/ports/traffic.ts";

export type TrafficBench = {
  readonly driver: TrafficDriver;
  readonly context: TrafficContext;
  readonly options: unknown;
  /** Where users are sent at the beginning, where a cutover sends them, and where neither does: as `observe` tells addresses. */
  readonly old: string;
  readonly fresh: string;
  readonly third: string;
  /** The side that a user comes to, by its address; null where nobody answers. */
  readonly reached: () => Promise<string | null>;
  /** All that the driver may write to, in one comparable string. */
  readonly state: () => Promise<string>;
  /** What a person does by hand who directs users elsewhere. */
  readonly directByHand: (to: string) => Promise<void>;
  /** The same without a program that answers, or with one that has nothing of the name. */
  readonly wrong: Readonly<Record<string, unknown>>;
  /** Changes something beside what the driver directs, in the same place. @returns words of it that stand in `state` */
  readonly writeBeside: () => Promise<string>;
  readonly close: () => Promise<void>;
};

/** Of a driver whose program is told in two acts: something is written, and then loaded. */
export type LoadingBench = TrafficBench & {
  /** What an `admit` leaves that is killed between the two. */
  readonly writeOnly: (to: string) => Promise<void>;
  /** Nothing can be loaded from now on. */
  readonly breakLoading: () => Promise<{ readonly options: unknown; readonly mend: () => Promise<void> }>;
};

const isHelpful = { hint: expect.stringMatching(/\w/) as string };
const helpfulError: unknown = expect.objectContaining(isHelpful);

/** @param holds false of a driver that keeps nobody out: users come by the old side until they are sent elsewhere */
export const describeTrafficDriver = (
  name: string,
  openBench: () => Promise<TrafficBench>,
  { holds = true }: { readonly holds?: boolean } = {},
): void => {
  describe(`${name} keeps the contract of drivers that direct traffic`, () => {
    let bench: TrafficBench;
    let original: string;

    beforeEach(async () => {
      bench = await openBench();
      original = await bench.state();
    });
    afterEach(() => bench.close());

    const observe = () => bench.driver.observe(bench.context, bench.options);
    const hold = (options = bench.options) => bench.driver.hold(bench.context, options);
    const admit = (to: string, from: readonly string[] | null, options = bench.options) =>
      bench.driver.admit(bench.context, options, to, from);
    const expectAt = async (address: string): Promise<void> => {
      expect(await observe()).toMatchObject({ admitted: true, address });
      expect(await bench.reached()).toBe(address);
    };

    test("looking changes nothing and tells where users come", async () => {
      await expectAt(bench.old);
      await bench.driver.preflight(bench.context, bench.options);
      expect(await bench.state()).toBe(original);
      await expectAt(bench.old);
    });

    test("each act that comes twice is as once, and the way back gives all as it was", async () => {
      await hold();
      const held = await bench.state();
      await hold();
      expect(await bench.state()).toBe(held);
      expect((await observe()).admitted).toBe(!holds);
      expect(await bench.reached()).toBe(holds ? null : bench.old);
      await admit(bench.fresh, [bench.old]);
      const admitted = await bench.state();
      await admit(bench.fresh, [bench.old]);
      expect(await bench.state()).toBe(admitted);
      await expectAt(bench.fresh);

      await hold();
      await admit(bench.old, [bench.fresh]);
      await expectAt(bench.old);
      expect(await bench.state()).toBe(original);
    });

    test("a hold alone is taken back, and all is as it was", async () => {
      await hold();
      await admit(bench.old, [bench.old]);
      await expectAt(bench.old);
      expect(await bench.state()).toBe(original);
    });

    test("users whom somebody else has sent elsewhere are not taken from there", async () => {
      await bench.directByHand(bench.third);
      const moved = await bench.state();
      for (const to of [bench.fresh, bench.old])
        await expect(admit(to, [bench.old, bench.fresh])).rejects.toMatchObject({
          code: "cutover.conflict",
          message: expect.stringContaining(bench.third) as string,
          ...isHelpful,
        });
      expect(await bench.state()).toBe(moved);
      await expectAt(bench.third);
      // A run that has seen them there goes on from there.
      await hold();
      await admit(bench.fresh, [bench.third]);
      await expectAt(bench.fresh);
    });

    test("an act that is aborted throws the signal's reason, and can be made again", async () => {
      const reason = new Error("the operator has changed his mind");
      const context = { ...bench.context, signal: AbortSignal.abort(reason) };
      await hold();
      await expect(bench.driver.admit(context, bench.options, bench.fresh, [bench.old])).rejects.toBe(reason);
      await admit(bench.fresh, [bench.old]);
      await expectAt(bench.fresh);
    });

    test("a program that does not answer, or has nothing of the name, is told with what helps", async () => {
      expect(Object.keys(bench.wrong)).not.toEqual([]);
      for (const options of Object.values(bench.wrong)) {
        await expect(bench.driver.observe(bench.context, options)).rejects.toMatchObject(isHelpful);
        // A driver that holds nobody has nothing to ask for it.
        const failure = await hold(options).then(
          () => null,
          (error: unknown) => error,
        );
        expect(failure).toEqual(holds ? helpfulError : null);
        await expect(admit(bench.fresh, [bench.old], options)).rejects.toMatchObject(isHelpful);
        await expect(bench.driver.preflight(bench.context, options)).rejects.toMatchObject(isHelpful);
      }
      expect(await bench.state()).toBe(original);
      await expectAt(bench.old);
    });

    test("what others write beside it during a cutover is kept, forth and back", async () => {
      await hold();
      const words = await bench.writeBeside();
      await admit(bench.fresh, [bench.old]);
      expect(await bench.state()).toContain(words);
      await hold();
      await admit(bench.old, [bench.fresh]);
      expect(await bench.state()).toContain(words);
      await expectAt(bench.old);
    });
  });
};

/** The same, and what may become of it between writing and loading. */
export const describeLoadingTrafficDriver = (name: string, openBench: () => Promise<LoadingBench>): void => {
  describeTrafficDriver(name, openBench);
  describe(`${name} keeps it between writing and loading`, () => {
    let bench: LoadingBench;
    let original: string;

    beforeEach(async () => {
      bench = await openBench();
      original = await bench.state();
    });
    afterEach(() => bench.close());

    const hold = () => bench.driver.hold(bench.context, bench.options);
    const admit = (to: string, from: readonly string[], options = bench.options) =>
      bench.driver.admit(bench.context, options, to, from);

    test("what was written by an act that was killed before it was loaded is loaded by the next", async () => {
      await hold();
      await bench.writeOnly(bench.fresh);
      expect(await bench.reached()).not.toBe(bench.fresh);
      await admit(bench.fresh, [bench.old]);
      expect(await bench.reached()).toBe(bench.fresh);
      await hold();
      await admit(bench.old, [bench.fresh]);
      expect(await bench.state()).toBe(original);
    });

    test("what was written by an act that was killed before it was loaded is taken back by an undo", async () => {
      await hold();
      await bench.writeOnly(bench.fresh);
      // It holds traffic itself, and sees it go where the program has it: here or there.
      await hold();
      const { address } = await bench.driver.observe(bench.context, bench.options);
      await admit(bench.old, [String(address), bench.fresh]);
      expect(await bench.reached()).toBe(bench.old);
      expect(await bench.state()).toBe(original);
    });

    test("what can never be loaded leaves nothing that a later start would take up", async () => {
      await hold();
      const held = await bench.state();
      const { options, mend } = await bench.breakLoading();
      await expect(admit(bench.fresh, [bench.old], options)).rejects.toMatchObject(isHelpful);
      expect(await bench.state()).toBe(held);
      // Killed in it, tried once more, and taken back while nothing can be loaded still.
      await bench.writeOnly(bench.fresh);
      await expect(admit(bench.fresh, [bench.old], options)).rejects.toMatchObject(isHelpful);
      await bench.writeOnly(bench.fresh);
      await admit(bench.old, [bench.old, bench.fresh], options).catch(() => undefined);
      expect(await bench.state()).toBe(original);
      await mend();
      await admit(bench.old, [bench.old, bench.fresh]);
      expect(await bench.reached()).toBe(bench.old);
      expect(await bench.state()).toBe(original);
    });
  });
};
