import { describe, expect, it } from "vitest";
import { hexId, shop, shopIncident, shopMark, shopPoint, shopPoints } from "../../test/fixtures/shop.ts";
import { type TimelineInput, buildTimeline } from "../core/timeline/build-timeline.ts";
import { textWidth } from "./fit-text.ts";
import { type Screen, plainPaint } from "./screen.ts";
import { renderTimeline } from "./timeline-screen.ts";

const screen: Screen = { paint: plainPaint, width: 100, timeZone: "Europe/Berlin" };
const now = "2026-11-22T15:42:08.000Z";
const locked = { ...shop, schedule: "every 30m", lock: { for: "7d" } };

const points = [
  ...shopPoints,
  ...["11:00", "11:30", "12:00", "12:30"].map((time, index) =>
    shopPoint({ id: `${index}bcd`, at: `2026-11-22T${time}:03.000Z` }),
  ),
].map((point) => ({ ...point, manifest: { ...point.manifest, declaration: locked } }));

const timeline = (parts: Partial<TimelineInput> = {}) =>
  buildTimeline({
    service: locked,
    points,
    chain: [],
    verified: { [hexId("5d0c88e1")]: now },
    holds: [{ point: hexId("2bcd"), reason: "audit of November" }],
    marks: [shopMark("upgrade 2.5.0", "2026-11-22T13:21:02.000Z")],
    incidents: [shopIncident("2026-11-22T13:21:40.000Z", "prices are 0")],
    runs: [
      {
        number: 42,
        uid: "6f1c0a2b-0000-4000-9000-000000000001",
        service: "shop",
        purpose: "recover",
        state: "succeeded",
        beganAt: "2026-11-22T15:12:00.000Z",
        endedAt: "2026-11-22T15:30:00.000Z",
        changedAt: "2026-11-22T15:20:00.000Z",
      },
    ],
    since: null,
    now,
    timeZone: "UTC",
    ...parts,
  });

const span = {
  service: "shop",
  component: "db",
  driver: "postgres",
  line: "7/1",
  from: "0/0",
  to: "0/1",
  fromAt: "2026-11-22T11:00:00.000Z",
  toAt: now,
};

describe("the timeline", () => {
  it("draws lanes below one scale, and tells the events", () => {
    expect(renderTimeline(timeline(), screen)).toMatchInlineSnapshot(`
      "          12:00       13:00       14:00       15:00       16:00      now 16:42 CET
      shop      ●     ●     ●     ●     ●   ▲ ○                 ○
      verified                          ▪
      held                  ▪
      locked    ▪     ▪     ▪     ▪     ▪   ▪ ▪                 ▪
      missed                                                          ┄┄┄
      runs                                                        ──◆──
      incident                              ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
      ● point, ○ failed a check, damaged or suspect, ▲ mark, ◆ live was changed
      WHEN      WHAT
      16:30:03  overdue for 12m: 1 point missed
      16:20:00  run 42 changed what is live; succeeded
      16:00:03  point 3c71e0aa is locked until 29 Nov, as declared
      14:21:40  incident: prices are 0, still open
      14:21:02  ▲ upgrade 2.5.0
      13:00:03  point 2bcd0000 is held: audit of November
      next: refloat points shop"
    `);
  });

  it("says why changes that were asked for are not there", () => {
    const told = (logs: TimelineInput["logs"] & object) =>
      renderTimeline({ ...timeline({ logs }), changes: [] }, screen);
    expect(told([])).toContain("changes: no log was received of this time");
    expect(told([span])).toContain("changes: the logs tell of no large transaction");
    expect(renderTimeline(timeline(), screen)).not.toContain("changes:");
  });

  it("draws any second only where it is reached", () => {
    const reachable = [{ component: "db", fromAt: "2026-11-22T11:00:03.000Z", toAt: "2026-11-22T12:00:00.000Z" }];
    const drawn = renderTimeline(timeline({ logs: [span], reachable }), screen).split("\n");
    expect(drawn.find((line) => line.startsWith("log db"))?.trimEnd()).toMatch(/^log db +═{10,14}$/);
  });

  it("has lanes of components that do not follow their service", () => {
    const [newest, ...others] = points;
    if (newest === undefined) throw new Error("the shop has points");
    const components = Object.fromEntries(
      Object.entries(newest.manifest.components).filter(([name]) => name !== "proxy"),
    );
    const changed = { ...newest, missing: ["uploads"], manifest: { ...newest.manifest, components } };
    const built = timeline({ points: [changed, ...others] });
    expect(
      built.components.map(({ component, points: own }) => [component, own.length, own.some(({ lost }) => lost)]),
    ).toEqual([
      ["uploads", 8, true],
      ["proxy", 7, false],
    ]);
    expect(renderTimeline(built, screen)).toMatch(/^ {2}uploads +●.*○/m);
  });

  it("fits any width, in ASCII where nothing else can be shown", () => {
    const since = "2026-11-01T00:00:00.000Z";
    for (const width of [60, 80, 120, 200]) {
      for (const built of [
        timeline(),
        timeline({ since }),
        timeline({ points: [], marks: [], incidents: [], runs: [] }),
      ]) {
        const text = renderTimeline(built, { ...screen, width, ascii: true });
        expect(Math.max(...text.split("\n").map(textWidth)), `${width}:\n${text}`).toBeLessThanOrEqual(width);
        expect(text).toMatch(/^[\n -~]*$/);
      }
    }
  });

  it("begins where it is told to, else a week ago or at the newest point before", () => {
    const since = "2026-11-22T13:10:00.000Z";
    expect(timeline({ since }).points.map(({ id }) => id.slice(0, 8))).toEqual(["7f3a91c2", "9be2d410", "3c71e0aa"]);
    expect(timeline().since).toBe("2026-11-22T11:00:03.000Z");
    expect(timeline({ now: "2026-12-20T00:00:00.000Z" }).since).toBe("2026-11-22T15:00:03.000Z");
    const text = renderTimeline(timeline({ points: [], since }), screen);
    expect(text).toContain("next: refloat capture shop");
  });
});
