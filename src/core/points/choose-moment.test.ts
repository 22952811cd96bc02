import { expect, it } from "vitest";
import { shopPoint } from "../../../test/fixtures/shop.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { positionAfter } from "../logs/log-position.ts";
import type { Workbench } from "../ports/workbench.ts";
import { chooseMoment } from "./choose-moment.ts";

const at = (minute: number): string => new Date(Date.UTC(2026, 10, 22, 13, minute)).toISOString();
const place = (minute: number): string => positionAfter(BigInt(minute) * 1000n);

/** Begun at one minute; the copy of its cluster was whole at another. */
const slowPoint = (id: string, begun: number, ended: number) => {
  const made = shopPoint({ id, at: at(begun) });
  const { db, ...others } = made.manifest.components;
  if (db === undefined) throw new Error("the shop has no db");
  const window = { beginAt: at(ended), endAt: at(ended) };
  return { ...made, manifest: { ...made.manifest, components: { ...others, db: { ...db, window } } } };
};

const older = slowPoint("a1", 0, 5);
const slow = slowPoint("b2", 20, 50);

const log: LogSpan = {
  service: "shop",
  component: "db",
  driver: "postgres",
  line: "7000/1",
  from: place(0),
  to: place(59),
  fromAt: at(0),
  toAt: at(59),
};

/** A thousand bytes a minute. */
const benchWith = (points: readonly (typeof slow)[]): Workbench =>
  ({
    host: { timeZone: "UTC" },
    registry: {
      components: new Map([
        [
          "postgres",
          {
            logs: {
              startOf: ({ window }: { window: { endAt: string } }) => ({
                line: "7000/1",
                from: place((Date.parse(window.endAt) - Date.parse(at(0))) / 60_000),
              }),
            },
          },
        ],
      ]),
    },
    vault: async () => ({
      points: { list: async () => points },
      marks: { list: async () => [] },
      incidents: { list: async () => [] },
      logs: {
        spans: async () => [log],
        positionAt: async ({ at: wanted }: { at: string }) => ({
          span: log,
          position: place(Math.floor((Date.parse(wanted) - Date.parse(at(0))) / 60_000)),
          at: wanted,
        }),
      },
    }),
  }) as unknown as Workbench;

const choose = (points: readonly (typeof slow)[], minute: number, only: readonly string[] | null = null) =>
  chooseMoment(benchWith(points), { service: "shop", at: at(minute), only }, new Date(at(59)));

it("goes on from the older point where the nearest one has a component as of later than the moment", async () => {
  const chosen = await choose([slow, older], 30);
  expect(chosen.point.id).toBe(older.id);
  expect(chosen.replays).toEqual({ db: { line: "7000/1", from: place(5), to: place(30), at: at(30) } });
  expect(chosen.passed.map(({ point, tooLate }) => [point.id, tooLate])).toEqual([[slow.id, ["db"]]]);
});

it("takes the nearest point where what is late is not asked for, and once the moment is after its end", async () => {
  expect((await choose([slow, older], 30, ["uploads"])).point.id).toBe(slow.id);
  expect(await choose([slow, older], 52)).toMatchObject({ point: { id: slow.id }, replays: { db: { to: place(52) } } });
});

it("refuses a moment that no point goes back to, and says from when on one does", async () => {
  await expect(choose([slow], 30)).rejects.toMatchObject({
    code: "point.unknown",
    message: expect.stringContaining(`has it as of ${at(50)}, and there is no older one`) as string,
    nextCommand: `refloat plan shop --at ${slow.id.slice(0, 8)}`,
  });
});
