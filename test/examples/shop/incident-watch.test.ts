import { describe, expect, it } from "vitest";
import { IncidentWatch } from "../../../examples/shop/load/incident-watch.ts";

const at = (ms: number): Date => new Date(1_000_000 + ms);
const right = (ms: number) => ({ at: at(ms), right: true });
const bad = (ms: number, reason = "price 0") => ({ at: at(ms), right: false, reason });

describe("IncidentWatch", () => {
  it("sees no incident in right answers", () => {
    const watch = new IncidentWatch({ durationMs: 100, answers: 2 });
    expect([0, 50, 500].map((ms) => watch.note(right(ms)))).toEqual([null, null, null]);
    expect(watch.incidents).toEqual([]);
  });

  it("begins with the first bad answer and keeps its reason", () => {
    const watch = new IncidentWatch({ durationMs: 100, answers: 2 });
    expect(watch.note(bad(10))?.change).toBe("began");
    expect(watch.note(bad(20, "HTTP 503"))).toBeNull();
    expect(watch.current).toEqual({ beganAt: at(10), reason: "price 0", badAnswers: 2, endedAt: null });
  });

  it("is over only after calm, and dates the end back to the first right answer", () => {
    const watch = new IncidentWatch({ durationMs: 100, answers: 3 });
    watch.note(bad(0));
    expect(watch.note(right(10))).toBeNull();
    expect(watch.note(right(110))).toBeNull();
    expect(watch.note(right(120))).toEqual({
      change: "over",
      incident: { beganAt: at(0), reason: "price 0", badAnswers: 1, endedAt: at(10) },
    });
    expect(watch.current).toBeNull();
  });

  it("starts counting anew when a bad answer comes between", () => {
    const watch = new IncidentWatch({ durationMs: 100, answers: 2 });
    watch.note(bad(0));
    watch.note(right(10));
    watch.note(bad(60));
    watch.note(right(70));
    expect(watch.note(right(115))).toBeNull();
    expect(watch.note(right(170))?.incident.endedAt).toEqual(at(70));
  });

  it("tells a second incident apart from the first", () => {
    const watch = new IncidentWatch({ durationMs: 10, answers: 1 });
    for (const answer of [bad(0), right(1), right(20), bad(30, "HTTP 500")]) watch.note(answer);
    expect(watch.incidents.map(({ reason, endedAt }) => [reason, endedAt])).toEqual([
      ["price 0", at(1)],
      ["HTTP 500", null],
    ]);
  });
});
