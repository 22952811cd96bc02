import { describe, expect, it } from "vitest";
import { hexId, shopMark, shopPoint, shopPoints } from "../../../test/fixtures/shop.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Mark } from "../../model/mark.ts";
import type { RunMoment } from "../run/run-moment.ts";
import { parseAt } from "../time/at-expression.ts";
import { asMarkName, readMoment } from "./named-moment.ts";
import { type SelectionOptions, selectPoint } from "./select-point.ts";

const now = new Date("2026-11-22T15:12:08.000Z");
const upgrade = shopMark("upgrade 2.5.0", "2026-11-22T13:21:02.000Z");
const chosen = (text: string, parts: Partial<SelectionOptions>, points = shopPoints) =>
  selectPoint(points, parseAt(text, now, "Europe/Berlin"), { service: "shop", ...parts });
const refusal = (text: string, parts: Partial<SelectionOptions>): RefloatError => {
  try {
    chosen(text, parts);
  } catch (error) {
    if (error instanceof RefloatError) return error;
    throw error;
  }
  throw new Error("it was not refused");
};
const short = ({ point }: { readonly point: { readonly id: string } }): string => point.id.slice(0, 8);

describe("before a mark", () => {
  const marks = [shopMark("migration 42", "2026-11-22T13:10:00.000Z"), upgrade];

  it.each(["before upgrade 2.5.0", `before "Upgrade 2.5.0"`, "just before the upgrade 2.5.0"])("%s", (text) => {
    const selection = chosen(text, { marks });
    expect(short(selection)).toBe("7f3a91c2");
    expect(selection.chosen).toEqual({
      kind: "mark",
      id: upgrade.id,
      name: "upgrade 2.5.0",
      at: upgrade.at,
      others: [],
    });
    expect(selection.closer).toBeNull();
  });

  it("is never a point into whose capture the mark falls", () => {
    const spanning = shopPoint({ id: "abcd", at: "2026-11-22T13:21:00.000Z" });
    const uploads = spanning.manifest.components["uploads"];
    if (uploads === undefined) throw new Error("the shop has uploads");
    const late = { ...uploads, window: { beginAt: uploads.window.beginAt, endAt: "2026-11-22T13:21:30.000Z" } };
    const components = { ...spanning.manifest.components, uploads: late };
    const points = [...shopPoints, { ...spanning, manifest: { ...spanning.manifest, components } }];
    expect(short(chosen("before upgrade 2.5.0", { marks }, points))).toBe("7f3a91c2");
    // The database alone was read before it.
    expect(short(chosen("before upgrade 2.5.0", { marks, scope: ["db"] }, points))).toBe("abcd0000");
  });

  it("means the newest of that name, names the others, and takes an id", () => {
    const [first, second] = [
      shopMark("nightly import", "2026-11-22T13:10:00.000Z"),
      shopMark("nightly import", "2026-11-22T14:00:00.000Z"),
    ];
    const selection = chosen("before nightly import", { marks: [first, second] });
    expect(short(selection)).toBe("9be2d410");
    expect(selection.chosen).toMatchObject({ at: second.at, others: [{ id: first.id, at: first.at }] });
    expect(short(chosen(`before ${first.id.slice(0, 8)}`, { marks: [first, second] }))).toBe("5d0c88e1");
  });

  it("answers an unknown name with the nearest, or with those there are", () => {
    expect(refusal("before upgrade 2.5.1", { marks })).toMatchObject({
      code: "mark.unknown",
      message: expect.stringContaining('shop has no mark "upgrade 2.5.1"'),
      hint: 'did you mean "upgrade 2.5.0" (2026-11-22T13:21:02.000Z)?',
      nextCommand: "refloat mark shop",
    });
    expect(refusal("before the flood", { marks }).hint).toBe(
      'its marks are "upgrade 2.5.0" (2026-11-22T13:21:02.000Z), "migration 42" (2026-11-22T13:10:00.000Z)',
    );
    const none = refusal("before tomorrow 9:00", {});
    expect(none.message).toMatch(/^shop has no mark "tomorrow 9:00", and as a time it cannot be read: .*future/);
    expect(none.hint).toContain("none was named yet");
  });

  it("says so when no point is as old", () => {
    const early = [shopMark("opening", "2026-11-22T12:00:00.000Z")];
    expect(refusal("before opening", { marks: early })).toMatchObject({
      code: "point.unknown",
      message: 'shop has no point from before mark "opening" (2026-11-22T12:00:00.000Z)',
      hint: "the oldest is 5d0c88e1 (2026-11-22T13:00:04.000Z)",
    });
  });
});

describe("before a run", () => {
  const run = (parts: Partial<RunMoment>): RunMoment => ({
    number: 42,
    uid: "6f1c0a2b-0000-4000-9000-000000000001",
    service: "shop",
    purpose: "recover",
    state: "succeeded",
    endedAt: null,
    beganAt: "2026-11-22T13:05:00.000Z",
    changedAt: "2026-11-22T14:00:00.000Z",
    ...parts,
  });

  it("is before its first change to what is live, or before its begin where there was none", () => {
    const selection = chosen("before run 42", { runs: [run({})] });
    expect(short(selection)).toBe("9be2d410");
    expect(selection.chosen).toMatchObject({ kind: "run", run: 42, changed: true });
    expect(short(chosen("before run 42", { runs: [run({ changedAt: null })] }))).toBe("5d0c88e1");
  });

  it("refuses runs that are not known, of another service, or two of one number", () => {
    expect(refusal("before run 7", { runs: [run({})] })).toMatchObject({
      code: "run.unknown",
      nextCommand: "refloat runs",
    });
    expect(refusal("before run 42", { runs: [run({ service: "notes" })] }).message).toBe(
      "run 42 recovered notes, not shop",
    );
    const twice = [run({}), run({ uid: "7a7a7a7a-0000-4000-9000-000000000001", changedAt: null })];
    expect(refusal("before run 42", { runs: twice }).hint).toContain("before run 6f1c0a2b");
    expect(short(chosen("before run 7a7a7a7a", { runs: twice }))).toBe("5d0c88e1");
  });
});

describe("last verified", () => {
  it("is the newest point whose bytes were read and that is whole", () => {
    const verified = {
      [hexId("9be2d410")]: "2026-11-22T14:00:00.000Z",
      [hexId("5d0c88e1")]: "2026-11-22T14:00:00.000Z",
    };
    expect(chosen("last verified", { verified })).toMatchObject({
      point: { id: hexId("9be2d410") },
      chosen: { kind: "verified", at: "2026-11-22T14:00:00.000Z" },
    });
    const holed = shopPoints.map((point) => (point.id === hexId("9be2d410") ? { ...point, missing: ["db"] } : point));
    expect(short(chosen("last verified", { verified }, holed))).toBe("5d0c88e1");
    expect(refusal("last verified", {})).toMatchObject({
      code: "point.unknown",
      nextCommand: "refloat verify --read-data",
    });
  });
});

describe("while an incident is open", () => {
  const incidentSince = "2026-11-22T13:21:40.000Z";

  it("last means the last from before it, and so does last verified", () => {
    expect(chosen("last", { incidentSince })).toMatchObject({
      point: { id: hexId("7f3a91c2") },
      chosen: { kind: "incident", at: incidentSince },
      closer: null,
    });
    const verified = { [hexId("9be2d410")]: incidentSince, [hexId("5d0c88e1")]: incidentSince };
    expect(short(chosen("last verified", { verified, incidentSince }))).toBe("5d0c88e1");
  });

  it("a point that is named is taken all the same, and nothing in doubt is offered", () => {
    expect(short(chosen("3c71", { incidentSince }))).toBe("3c71e0aa");
    expect(chosen("5d0c", { incidentSince: "2026-11-22T13:10:00.000Z", scope: ["db"] }).closer).toBeNull();
  });

  it("says so when all points are in doubt", () => {
    expect(refusal("last", { incidentSince: "2026-11-22T12:00:00.000Z" })).toMatchObject({
      code: "point.unknown",
      message: "shop has no point from before its incident (2026-11-22T12:00:00.000Z)",
      hint: expect.stringContaining("--at 3c71e0aa"),
    });
  });
});

describe("the name of a mark alone", () => {
  const unclear = new RefloatError("time.unclear", "no time can be found in it");

  it("is answered with the words for it, and anything else as it was", () => {
    expect(asMarkName(unclear, "upgrade 2.5.0", [upgrade])).toMatchObject({
      code: "time.unclear",
      hint: "the last point from before it: --at 'before upgrade 2.5.0'",
      nextCommand: "refloat plan shop --at 'before upgrade 2.5.0'",
    });
    expect(asMarkName(unclear, "upgrade 2.5.1", [upgrade])).toBe(unclear);
  });
});

describe("readMoment", () => {
  const clock = { now, timeZone: "Europe/Berlin" };
  const read = (text: string): string => readMoment(text, clock, [upgrade], "shop");

  it("reads times and names of marks", () => {
    expect(read("14:05")).toBe("2026-11-22T13:05:00.000Z");
    for (const text of ["upgrade 2.5.0", `"upgrade 2.5.0"`, "mark upgrade 2.5.0", "before upgrade 2.5.0"])
      expect(read(text)).toBe(upgrade.at);
  });

  it.each([
    ["tomorrow 9:00", "mark.unknown"],
    ["the flood", "mark.unknown"],
    ["last", "time.unclear"],
    ["before run 42", "time.unclear"],
    ["", "time.unclear"],
  ])("refuses %j", (text, code) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code }));
  });
});

describe("closer", () => {
  const unasked = (id: string, time: string) => {
    const point = shopPoint({ id, at: `2026-11-22T${time}.000Z` });
    return { ...point, manifest: { ...point.manifest, checks: [], invariants: [] } };
  };
  const points = [unasked("aaaa", "10:00:00"), unasked("bbbb", "11:00:00"), unasked("cccc", "12:00:00")];
  const at = (text: string, marks: readonly Mark[] = []) => chosen(text, { marks }, points).closer;

  it("is the last point before the first mark after the chosen one, although nothing was asked at its capture", () => {
    const marks = [shopMark("deploy", "2026-11-22T11:30:00.000Z"), shopMark("late", "2026-11-22T12:30:00.000Z")];
    expect(at("aaaa", marks)).toMatchObject({
      point: { id: hexId("bbbb") },
      why: { checked: false, mark: { name: "deploy" } },
    });
    expect(at("bbbb", marks)).toBeNull();
  });

  it("names the mark beside checks that passed", () => {
    const selection = chosen("5d0c", { marks: [upgrade], scope: ["db"] });
    expect(selection.closer).toMatchObject({
      point: { id: hexId("7f3a91c2") },
      why: { checked: true, mark: { name: "upgrade 2.5.0" } },
    });
  });

  it("is the next point where that is nearer to the wanted moment and no mark lies between", () => {
    expect(at("2026-11-22T10:50:00Z")).toMatchObject({ point: { id: hexId("bbbb") }, why: { afterMs: 600_000 } });
    expect(at("2026-11-22T10:20:00Z")).toBeNull();
    expect(at("2026-11-22T10:50:00Z", [shopMark("deploy", "2026-11-22T10:55:00.000Z")])).toBeNull();
  });
});
