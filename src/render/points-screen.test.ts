import { describe, expect, it } from "vitest";
import { shopIncident, shopMark, shopPoint, shopPoints } from "../../test/fixtures/shop.ts";
import { textWidth } from "./fit-text.ts";
import { renderPoints } from "./points-screen.ts";
import { type Screen, plainPaint } from "./screen.ts";
import { renderLane } from "./time-lane.ts";

const screen: Screen = { paint: plainPaint, width: 100, timeZone: "Europe/Berlin" };
const now = "2026-11-22T15:12:08.000Z";
const afternoon = [
  ...shopPoints,
  shopPoint({ id: "1234", at: "2026-11-22T14:00:03.000Z", schema: "bb", passed: false }),
  shopPoint({ id: "2345", at: "2026-11-22T14:30:03.000Z", schema: "bb", passed: false }),
  ...["11:00", "11:30", "12:00", "12:30"].map((time, index) =>
    shopPoint({ id: `${index}bcd`, at: `2026-11-22T${time}:03.000Z` }),
  ),
];

describe("the points", () => {
  it("are drawn as the documents draw them", () => {
    expect(renderPoints({ service: "shop", points: afternoon, verified: {}, now, all: false }, screen))
      .toMatchInlineSnapshot(`
      "      12:00       13:00       14:00       15:00       16:00  now 16:12 CET
      shop  ●     ●     ●     ●     ●   ● ●     ●     ●     ●      ● point
      POINT     TAKEN        SIZE     NEW  WINDOW        LOCKED  NOTE
      3c71e0aa  16:00:03  1.29 GB  4.1 MB  1.2s ordered  no      check fails: products
        ... 2 like it (--all)
      9be2d410  14:30:05  1.29 GB  212 MB  1.1s ordered  no      check fails: products; new schema
      7f3a91c2  14:20:31  1.29 GB  1.9 MB  0.9s ordered  no
      5d0c88e1  14:00:04  1.29 GB  2.2 MB  1s ordered    no
      3bcd0000  13:30:03  1.29 GB  2.2 MB  1s ordered    no
      2bcd0000  13:00:03  1.29 GB  2.2 MB  1s ordered    no
      1bcd0000  12:30:03  1.29 GB  2.2 MB  1s ordered    no
      0bcd0000  12:00:03  1.29 GB  2.2 MB  1s ordered    no
      recovery order: db 1.1 GB, uploads 180 MB > app 9 MB > proxy 4 kB
      next: refloat plan shop --at 7f3a91c2"
    `);
  });

  it("say how long a service was held still, and which one was not as long as it should", () => {
    const [last = expect.fail("no point"), before = expect.fail("no point"), ...others] = afternoon;
    const frozen = { fromAt: now, toAt: now, heldMs: 840 };
    const consistencies = [
      { mode: "quiesced", windowMs: 310, proven: true, frozen },
      { mode: "ordered", windowMs: 900, proven: false, unquiesced: "the 30s of atMost were over" },
    ] as const;
    const points = [last, before].map((point, index) => ({
      ...point,
      manifest: { ...point.manifest, consistency: consistencies[index] ?? consistencies[0] },
    }));
    const text = renderPoints(
      { service: "shop", points: [...points, ...others], verified: {}, now, all: false },
      screen,
    );
    expect(text).toContain("0.8s quiesced");
    expect(text).toMatch(/0\.9s ordered .*\n? *not quiesced/);
  });

  it("have marks between them and above them", () => {
    const marks = [
      shopMark("upgrade 2.5.0", "2026-11-22T13:21:02.000Z"),
      shopMark("before everything", "2026-11-20T13:21:02.000Z"),
      shopMark(
        "a name that is longer than any of the columns that stand above it would ever be",
        "2026-11-22T14:10:00.000Z",
      ),
    ];
    const text = renderPoints({ service: "shop", points: afternoon, verified: {}, marks, now, all: false }, screen);
    expect(text).toMatchInlineSnapshot(`
      "      12:00       13:00       14:00       15:00       16:00  now 16:12 CET
      shop  ●     ●     ●     ●     ●   ▲ ●     ● ▲   ●     ●      ● point ▲ mark
      POINT     TAKEN        SIZE     NEW  WINDOW        LOCKED  NOTE
      3c71e0aa  16:00:03  1.29 GB  4.1 MB  1.2s ordered  no      check fails: products
      23450000  15:30:03  1.29 GB  2.2 MB  1s ordered    no      check fails: products
            ▲   15:10:00  a name that is longer than any of the columns that stand above it would ever be
      12340000  15:00:03  1.29 GB  2.2 MB  1s ordered    no      check fails: products
      9be2d410  14:30:05  1.29 GB  212 MB  1.1s ordered  no      check fails: products; new schema
            ▲   14:21:02  upgrade 2.5.0
      7f3a91c2  14:20:31  1.29 GB  1.9 MB  0.9s ordered  no
      5d0c88e1  14:00:04  1.29 GB  2.2 MB  1s ordered    no
      3bcd0000  13:30:03  1.29 GB  2.2 MB  1s ordered    no
      2bcd0000  13:00:03  1.29 GB  2.2 MB  1s ordered    no
      1bcd0000  12:30:03  1.29 GB  2.2 MB  1s ordered    no
      0bcd0000  12:00:03  1.29 GB  2.2 MB  1s ordered    no
      recovery order: db 1.1 GB, uploads 180 MB > app 9 MB > proxy 4 kB
      next: refloat plan shop --at 7f3a91c2"
    `);
    const narrow = renderPoints(
      { service: "shop", points: afternoon, verified: {}, marks, now, all: false },
      { ...screen, width: 60, ascii: true },
    );
    expect(narrow).toContain("o point ^ mark");
    expect(narrow).not.toMatch(/[●▲]/);
    const markLine = narrow.split("\n").find((line) => line.includes("a name that"));
    expect(textWidth(markLine ?? "")).toBeLessThanOrEqual(60);
  });

  it("tell an incident, and which of them it doubts", () => {
    const incident = shopIncident("2026-11-22T13:21:40.000Z", "prices are 0");
    const text = renderPoints({ service: "shop", points: shopPoints, verified: {}, incident, now, all: true }, screen);
    expect(text.split("\n").slice(3)).toMatchInlineSnapshot(`
      [
        "3c71e0aa  16:00:03  1.29 GB  4.1 MB  1.2s ordered  no      suspect; check fails: products",
        "9be2d410  14:30:05  1.29 GB  212 MB  1.1s ordered  no      suspect; check fails: products;",
        "                                                           new schema",
        "      !   14:21:40  an incident is open since then: prices are 0",
        "7f3a91c2  14:20:31  1.29 GB  1.9 MB  0.9s ordered  no",
        "5d0c88e1  14:00:04  1.29 GB  2.2 MB  1s ordered    no",
        "recovery order: db 1.1 GB, uploads 180 MB > app 9 MB > proxy 4 kB",
        "next: refloat plan shop --at 7f3a91c2",
      ]
    `);
  });

  it("are all shown when asked, and damage is said", () => {
    const lost = shopPoint({ id: "99", at: "2026-10-03T11:00:00.000Z", missing: ["uploads"] });
    const text = renderPoints(
      { service: "shop", points: [...afternoon, lost], verified: {}, now, all: true },
      { ...screen, width: 80 },
    );
    expect(text).toMatchInlineSnapshot(`
      "      3 Oct       17 Oct      31 Oct      14 Nov    now 16:12 CET
      shop  ●                                          ●  ● point
      POINT     TAKEN              SIZE     NEW  WINDOW        LOCKED  NOTE
      3c71e0aa  16:00:03        1.29 GB  4.1 MB  1.2s ordered  no      check fails:
                                                                       products
      23450000  15:30:03        1.29 GB  2.2 MB  1s ordered    no      check fails:
                                                                       products
      12340000  15:00:03        1.29 GB  2.2 MB  1s ordered    no      check fails:
                                                                       products
      9be2d410  14:30:05        1.29 GB  212 MB  1.1s ordered  no      check fails:
                                                                       products; new schema
      7f3a91c2  14:20:31        1.29 GB  1.9 MB  0.9s ordered  no
      5d0c88e1  14:00:04        1.29 GB  2.2 MB  1s ordered    no
      3bcd0000  13:30:03        1.29 GB  2.2 MB  1s ordered    no
      2bcd0000  13:00:03        1.29 GB  2.2 MB  1s ordered    no
      1bcd0000  12:30:03        1.29 GB  2.2 MB  1s ordered    no
      0bcd0000  12:00:03        1.29 GB  2.2 MB  1s ordered    no
      99000000  3 Oct 13:00:00  1.29 GB  2.2 MB  1s ordered    no      damaged: uploads
                                                                       lost
      recovery order: db 1.1 GB, uploads 180 MB > app 9 MB > proxy 4 kB
      next: refloat plan shop --at 7f3a91c2"
    `);
  });

  it("none: says how to take the first one", () => {
    expect(renderPoints({ service: "shop", points: [], verified: {}, now, all: false }, screen)).toBe(
      "shop has no recovery point yet\nnext: refloat capture shop",
    );
  });

  it("of one minute or of five years fit the width", () => {
    for (const begin of [
      "2026-11-22T15:12:00.000Z",
      "2026-11-22T03:00:00.000Z",
      "2026-10-01T03:00:00.000Z",
      "2021-01-01T00:00:00.000Z",
    ]) {
      for (const width of [60, 80, 120]) {
        const lane = renderLane(
          { label: "shop", instants: [begin, "2026-11-22T15:12:00.000Z"], now },
          { ...screen, width },
        );
        expect(Math.max(...lane.map(textWidth)), `${begin} in ${width}`).toBeLessThanOrEqual(width);
        expect(lane[1]).toContain("●");
      }
    }
  });

  it("are labelled by the clock on the wall also when it changes", () => {
    const lane = renderLane(
      { label: "x", instants: ["2026-10-24T22:00:00.000Z"], now: "2026-10-25T08:00:00.000Z" },
      screen,
    );
    expect(lane.join("\n")).toMatchInlineSnapshot(`
      "   25 Oct      02:00       03:00       05:00       07:00       09:00  now 09:00 CET
      x  ●                                                                  ● point"
    `);
  });
});
