import { describe, expect, it } from "vitest";
import { recoveryInput } from "../../../test/fixtures/shop.ts";
import { planSchema } from "../../model/plan.ts";
import { planRecovery } from "./plan-recovery.ts";
import { refuseBrokenLinks } from "./refuse-broken-links.ts";

const planned = (broken: number, acceptLoss: boolean) =>
  planRecovery(
    recoveryInput({
      request: { at: null, only: ["uploads"], cutover: true, acceptLoss },
      breaks: [
        {
          invariant: "invoices-exist",
          every: "db",
          in: "uploads",
          broken,
          samples: broken === 0 ? [] : ["2026/77.pdf"],
        },
      ],
    }),
  );

describe("links that a recovery would break", () => {
  it("are warned of and refused with the command that accepts them", () => {
    const plan = planned(3, false);
    expect(planSchema.parse(plan)).toEqual(plan);
    expect(plan.intent.acceptBroken).toBeUndefined();
    expect(plan.forecast.warnings.find(({ code }) => code === "invariant.breaks")?.message).toBe(
      "invoices-exist: 3 links of db, which is kept, will be broken: they name what came into uploads after the point, such as 2026/77.pdf; recover needs --accept-loss",
    );
    expect(() => refuseBrokenLinks(plan)).toThrow(
      expect.objectContaining({
        code: "recover.would-break",
        state: "nothing was changed",
        nextCommand: `refloat recover shop --at ${plan.intent.point?.id.slice(0, 8) ?? ""} --only uploads --accept-loss`,
      }),
    );
  });

  it("are part of the plan once they are accepted, also those that come after planning", () => {
    expect(planned(0, true).intent.acceptBroken).toEqual(["invoices-exist"]);
    expect(() => refuseBrokenLinks(planned(3, true))).not.toThrow();
    expect(planned(3, true).digest).not.toBe(planned(3, false).digest);
  });

  it("are nobody's worry where there are none", () => {
    const plan = planned(0, false);
    expect(plan.forecast.warnings.filter(({ code }) => code.startsWith("invariant."))).toEqual([]);
    expect(() => refuseBrokenLinks(plan)).not.toThrow();
  });
});
