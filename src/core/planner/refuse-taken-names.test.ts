import { expect, it } from "vitest";
import { type NamesOfRun, refuseTakenNames } from "./refuse-taken-names.ts";

const free = { instance: false, retired: false };

const names: NamesOfRun = {
  service: "shop",
  run: 2,
  scope: ["db", "uploads"],
  cutover: true,
  components: {
    db: { names: { stable: "shop", instance: "shop_r2", retired: "shop_old2" } },
    uploads: { names: { stable: "/srv/uploads", instance: "/srv/uploads.r2", retired: "/srv/uploads.old2" } },
  },
  taken: { db: free, uploads: free },
};

it("names all that is taken, for which component, and what to do", () => {
  const taken = { db: { instance: false, retired: true }, uploads: { instance: true, retired: true } };
  expect(() => refuseTakenNames({ ...names, taken })).toThrow(
    expect.objectContaining({
      code: "plan.impossible",
      message:
        "run 2 needs names that are taken: shop_old2 for the old side of db, /srv/uploads.r2 for the new side of uploads and /srv/uploads.old2 for the old side of uploads",
      state: "nothing was changed",
      nextCommand: "refloat plan shop",
    }),
  );
});

it("refuses nothing for names that are free, are not needed without a cutover, or are of what stays", () => {
  const taken = { db: { instance: false, retired: true }, uploads: free };
  for (const given of [names, { ...names, taken, cutover: false }, { ...names, taken, scope: ["uploads"] }])
    expect(() => refuseTakenNames(given)).not.toThrow();
});
