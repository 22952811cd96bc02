/**
 * What every component driver must do, asked of it with a real source: instances that are told as they are, a switch that compares
 * before it acts, an undo that brings everything back. A driver's own test opens a bench and calls this.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ComponentDriver, DriverContext, Exchange, InstanceTarget } from "../core/ports/driver.ts";
import type { SnapshotReader } from "../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type DriverBench = {
  readonly driver: ComponentDriver;
  readonly context: DriverContext;
  readonly capture: () => Promise<CapturedComponent>;
  readonly open: (captured: CapturedComponent) => Promise<SnapshotReader>;
  /** Changes the live side, so that it differs from whatever was captured before. */
  readonly write: () => Promise<void>;
  /** All of the data at a location (null: behind the stable name) in one comparable string. */
  readonly content: (location: string | null) => Promise<string>;
  readonly close: () => Promise<void>;
};

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const otherUid = "9b8f2f3e-1111-4222-8333-444455556666";

/** The same snapshot, read from a vault that fails after the first bytes. */
const failing = (reader: SnapshotReader): SnapshotReader => {
  const damaged = () => new RefloatError("vault.damaged", "the pack ends here");
  return {
    ...reader,
    extract: async (...values) => {
      await reader.extract(...values);
      throw damaged();
    },
    stream: async function* (path, range) {
      for await (const chunk of reader.stream(path, range)) {
        yield chunk;
        throw damaged();
      }
    },
  };
};

export const describeComponentDriver = (name: string, openBench: () => Promise<DriverBench>): void => {
  describe(`${name} keeps the contract of component drivers`, () => {
    let bench: DriverBench;
    let captured: CapturedComponent;
    let original: string;
    let target: InstanceTarget;

    beforeEach(async () => {
      bench = await openBench();
      original = await bench.content(null);
      captured = await bench.capture();
      target = { name: await bench.driver.instances.name(bench.context, 42), run: 42, runUid };
    });
    afterEach(() => bench.close());

    const instances = () => bench.driver.instances;
    const restore = async (): Promise<void> => {
      await instances().restore(bench.context, target, await bench.open(captured), captured);
    };
    const forth = async (): Promise<Exchange> => ({
      incoming: target.name,
      outgoing: await instances().retiredName(bench.context, target.run),
    });
    const swap = async (exchange: Exchange): Promise<void> => {
      const { switching } = bench.driver;
      await switching.exchange(bench.context, exchange, await switching.observe(bench.context, exchange));
    };

    test("what serves answers, or has nobody who could", async () => {
      await expect(Promise.resolve(bench.driver.reach?.(bench.context))).resolves.toBe(undefined);
    });

    test("names are the same each time and others for other runs", async () => {
      expect(await instances().name(bench.context, 42)).toBe(target.name);
      const names = [
        target.name,
        await instances().name(bench.context, 43),
        await instances().retiredName(bench.context, 42),
        await instances().retiredName(bench.context, 43),
      ];
      expect(new Set(names).size).toBe(4);
    });

    test("a capture has facts, a window and room that a restore needs", async () => {
      expect(captured.facts.sizeBytes).toBeGreaterThan(0);
      expect(Object.keys(captured.facts.counts).length).toBeGreaterThan(0);
      expect(Date.parse(captured.window.beginAt)).toBeLessThanOrEqual(Date.parse(captured.window.endAt));
      for (const { bytes } of await instances().footprint(bench.context, captured)) expect(bytes).toBeGreaterThan(0);
    });

    test("a restore is whole, as captured, and leaves the live side alone", async () => {
      await bench.write();
      const damaged = await bench.content(null);
      expect(damaged).not.toBe(original);
      expect(await instances().inspect(bench.context, target)).toBe("absent");
      await restore();
      expect(await instances().inspect(bench.context, target)).toBe("done");
      expect(await bench.content(target.name)).toBe(original);
      expect(await bench.content(null)).toBe(damaged);
      const outcomes = await instances().validate(bench.context, target, captured.facts);
      expect(outcomes.length).toBeGreaterThan(0);
      expect(outcomes.filter(({ status }) => status === "failed")).toEqual([]);
      expect(Object.keys(await instances().outputs(bench.context, target)).length).toBeGreaterThan(0);
    });

    test("a restore that fails is not told as done, is dropped, and can be made again", async () => {
      const reader = failing(await bench.open(captured));
      await expect(instances().restore(bench.context, target, reader, captured)).rejects.toMatchObject({
        code: "vault.damaged",
      });
      expect(await instances().inspect(bench.context, target)).not.toBe("done");
      await instances().drop(bench.context, target);
      expect(await instances().inspect(bench.context, target)).toBe("absent");
      await restore();
      expect(await bench.content(target.name)).toBe(original);
    });

    test("a restore that is aborted throws the signal's reason and is not told as done", async () => {
      const reason = new Error("the operator has changed his mind");
      const context = { ...bench.context, signal: AbortSignal.abort(reason) };
      const reader = await bench.open(captured);
      await expect(instances().restore(context, target, reader, captured)).rejects.toBe(reason);
      expect(await instances().inspect(bench.context, target)).not.toBe("done");
      await instances().drop(bench.context, target);
      expect(await instances().inspect(bench.context, target)).toBe("absent");
    });

    test("a drop is repeatable and takes only what this run made", async () => {
      await restore();
      const stranger = { ...target, runUid: otherUid };
      await expect(instances().inspect(bench.context, stranger)).rejects.toMatchObject({ code: "instance.exists" });
      await expect(instances().drop(bench.context, stranger)).rejects.toMatchObject({ code: "instance.exists" });
      expect(await instances().inspect(bench.context, target)).toBe("done");
      await instances().drop(bench.context, target);
      await instances().drop(bench.context, target);
      expect(await instances().inspect(bench.context, target)).toBe("absent");
      expect(await bench.content(null)).toBe(original);
    });

    test("a switch puts the instance behind the stable name, and an undo brings the old side back", async () => {
      await bench.write();
      const damaged = await bench.content(null);
      await restore();
      const exchange = await forth();
      const { switching } = bench.driver;
      const before = await switching.observe(bench.context, exchange);
      expect(before.stable).not.toBeNull();
      expect(before.incoming).not.toBeNull();
      expect(before.outgoing).toBeNull();

      await swap(exchange);
      expect(await switching.observe(bench.context, exchange)).toMatchObject({
        stable: before.incoming,
        outgoing: before.stable,
      });
      expect(await bench.content(null)).toBe(original);
      expect(await bench.content(exchange.outgoing)).toBe(damaged);

      await swap({ incoming: exchange.outgoing, outgoing: exchange.incoming });
      expect(await switching.observe(bench.context, exchange)).toEqual(before);
      expect(await bench.content(null)).toBe(damaged);
    });

    test("a switch whose world is not as expected is refused and changes nothing", async () => {
      await restore();
      const exchange = await forth();
      const { switching } = bench.driver;
      const before = await switching.observe(bench.context, exchange);
      const others = [
        { ...before, stable: before.incoming },
        { ...before, incoming: before.stable },
        { ...before, outgoing: before.stable },
      ];
      for (const expected of others)
        await expect(switching.exchange(bench.context, exchange, expected)).rejects.toMatchObject({
          code: "cutover.conflict",
        });
      expect(await switching.observe(bench.context, exchange)).toEqual(before);
    });

    test("the live side is put away, tells that nothing was written to it since the capture, and is put back", async () => {
      const kept = await instances().retiredName(bench.context, target.run);
      const away: Exchange = { incoming: target.name, outgoing: kept, putsAway: true };
      const back: Exchange = { incoming: kept, outgoing: target.name, putsAway: true };
      const { switching, writes } = bench.driver;
      const before = await switching.observe(bench.context, away);
      await swap(away);
      // Whoever was killed in it asks for it again, where it has more to do than the names.
      if (switching.serve !== undefined) await switching.exchange(bench.context, away, before);
      expect(await switching.observe(bench.context, away)).toEqual({
        stable: null,
        incoming: null,
        outgoing: before.stable,
      });
      const since = captured.facts.position;
      const report =
        writes === undefined || since === undefined
          ? { units: [] }
          : await writes.writesSince(bench.context, { location: kept, since });
      expect(report.units.filter(({ added, changed, removed }) => added + changed + removed > 0)).toEqual([]);
      await swap(back);
      expect(await switching.observe(bench.context, away)).toEqual(before);
      expect(await bench.content(null)).toBe(original);
    });

    test("the old side is discarded for good, repeatably, and the new one serves on", async () => {
      await bench.write();
      await restore();
      const exchange = await forth();
      await swap(exchange);
      const { switching } = bench.driver;
      await switching.discard(bench.context, exchange.outgoing);
      await switching.discard(bench.context, exchange.outgoing);
      expect((await switching.observe(bench.context, exchange)).outgoing).toBeNull();
      expect(await bench.content(null)).toBe(original);
    });

    test("the side that an undo has left is discarded for good, repeatably, and the old one serves on", async () => {
      await bench.write();
      const damaged = await bench.content(null);
      await restore();
      const exchange = await forth();
      await swap(exchange);
      const { switching } = bench.driver;
      const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
      await swap(back);
      await switching.discard(bench.context, back.outgoing);
      await switching.discard(bench.context, back.outgoing);
      expect(await switching.observe(bench.context, exchange)).toMatchObject({ incoming: null, outgoing: null });
      expect(await instances().inspect(bench.context, target)).toBe("absent");
      expect(await bench.content(null)).toBe(damaged);
    });
  });
};
