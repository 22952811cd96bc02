import { describe, expect, it } from "vitest";
import { at, eventsOf, shopPlan, shopRun, stoppedAt } from "../../../test/fixtures/shop-run.ts";
import { recoveryInput, shop } from "../../../test/fixtures/shop.ts";
import { planRecovery } from "../../core/planner/plan-recovery.ts";
import { summarizeRun } from "../../core/run/run-summary.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunRecord } from "../../model/run.ts";
import { renderRunPage } from "./run-page.ts";

const page = (record: RunRecord = shopRun(), plan: Plan = shopPlan): string => {
  const events = eventsOf(record);
  return renderRunPage({
    record,
    plan,
    events,
    summary: summarizeRun(record, plan, events, at(51)),
    now: record.endedAt ?? at(51),
    timeZone: "Europe/Berlin",
    madeBy: { version: "0.1.0", hostname: "shop-1" },
  });
};

const textOf = (html: string): string =>
  html
    .replace(/<style>[\s\S]*<\/style>/, "")
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll("&ndash;", "-")
    .replaceAll(/\s+/g, " ");

describe("the page of a run", () => {
  it("says what users noticed against what was promised, what was lost, and what proves it", () => {
    const text = textOf(page());
    expect(text).toContain("SHOP IS BACK Point 5d0c88e1, plan");
    expect(text).toContain("RTO actual 1h51m41s of 15m missed 14:21:40 first wrong answer, 16:13:21 normal again");
    expect(text).toContain("RPO actual 21m34s of 1h met db");
    expect(text).toContain("312 orders runs/42/lost/orders.csv");
    expect(text).toContain("noticed and decided 1h50m51s");
    expect(text).toContain("facts of db 23 tables as captured 4ms passed");
    expect(text).toContain("old side: db as shop_old42");
    expect(text).toContain(`plan ${shopPlan.digest}`);
  });

  it("draws each step twice, as planned and as it went, without the time that nobody worked", () => {
    const html = page();
    expect(html.match(/class="plan"/g)).toHaveLength(shopPlan.intent.steps.length);
    // The approval was asked for and then given: two bars.
    expect(html.match(/class="bar /g)).toHaveLength(shopPlan.intent.steps.length + 1);
    expect(html).toContain('title="nobody worked for 11s"');
    for (const [, left, width] of html.matchAll(/left:([\d.]+)%;width:([\d.]+)%/g)) {
      expect(Number(left)).toBeGreaterThanOrEqual(0);
      expect(Number(left) + Number(width)).toBeLessThanOrEqual(100.01);
    }
  });

  it("begins with what needs attention where a run has failed", () => {
    const error = { code: "step.check-failed", message: "23 tables, 22 found", hint: "see the vault" };
    const record = shopRun({ state: "failed", endedAt: at(33) }, stoppedAt("check:db", { state: "failed", error }));
    const text = textOf(page(record));
    expect(text).toContain("SHOP WAS NOT RECOVERED Live is untouched");
    expect(text).toContain("Failed check db (step.check-failed): 23 tables, 22 found");
    expect(text.indexOf("What needs attention")).toBeLessThan(text.indexOf("Planned against actual"));
    expect(text).toContain("RTO actual - it did not put the service back");
    expect(page(record)).toContain('class="bar failed"');
  });

  it("needs nothing from elsewhere and runs no script", () => {
    const html = page();
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(html).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\b(src|href|on[a-z]+)=/i);
    expect(html).toContain("prefers-color-scheme: dark");
  });

  it("shows hostile names as text, wherever they come from", () => {
    const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>\u202Egnp.exe\u0007`;
    const service = { ...shop, owners: [hostile], criticality: "critical" as const };
    const planned = planRecovery(recoveryInput({ service }));
    const poison = (value: unknown): unknown => {
      if (typeof value === "string") return /^\d{4}-\d\d-\d\dT/.test(value) ? value : `${value}${hostile}`;
      if (Array.isArray(value)) return value.map(poison);
      if (value === null || typeof value !== "object") return value;
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, poison(one)]));
    };
    const { forecast } = planned;
    const plan: Plan = {
      ...planned,
      forecast: {
        ...forecast,
        steps: Object.fromEntries(
          Object.entries(forecast.steps).map(([id, step]) => [
            id,
            { ...step, title: `${step.title}${hostile}`, what: hostile },
          ]),
        ),
      },
    };
    const error = { code: hostile, message: hostile, hint: hostile };
    const record = shopRun(
      { state: "needs-operator", message: hostile, service: `shop${hostile}` },
      (id) => ({
        output: poison(shopRun().steps.find((step) => step.id === id)?.output ?? {}) as never,
        ...(id === "probe" ? { state: "failed", error } : {}),
      }),
      plan,
    );
    const html = page(record, plan);
    // All markup is ours: no tag and no attribute but those of a page without names in it.
    const words = (text: string) =>
      new Set([...text.matchAll(/<\/?([a-z0-9!]+)|\s([a-z-]+)="/gi)].map(([, tag, attribute]) => tag ?? attribute));
    const ours = words(
      `${page()}${page(shopRun({ state: "failed" }, stoppedAt("check:db", { state: "failed", error: { code: "a", message: "b" } })))}`,
    );
    expect([...words(html)].filter((word) => !ours.has(word))).toEqual([]);
    expect(html).not.toMatch(/<script|<img|\p{Bidi_Control}/iu);
    expect(html).not.toContain("\u0007");
    expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  });
});
