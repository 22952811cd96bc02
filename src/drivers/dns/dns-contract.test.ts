import { afterAll, beforeAll } from "vitest";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import {
  type BindPrimary,
  type BindServer,
  lookUp,
  startBindPrimary,
  startBindResolver,
} from "../../testing/bind-server.ts";
import { createTestTrafficContext } from "../../testing/driver-context.ts";
import { type TrafficBench, describeTrafficDriver } from "../../testing/traffic-driver-contract.ts";
import { dnsOptionsSchema } from "./dns-options.ts";
import { dnsTraffic } from "./dns-traffic.ts";
import { sendUpdate } from "./dns-update.ts";

const [old, fresh, third, page] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.99"];
const name = "shop.example.test";
let primary: BindPrimary;
let resolver: BindServer;

beforeAll(async () => {
  primary = await startBindPrimary([`shop 1 IN A ${old}`, "beside 1 IN A 192.0.2.20"]);
  resolver = await startBindResolver(primary);
});
afterAll(async () => {
  await resolver?.stop();
  await primary?.stop();
});

const openBench = async (more: object): Promise<TrafficBench> => {
  const context = createTestTrafficContext({ "file:/etc/refloat/tsig": `secret!${primary.key}` });
  const optionsOf = (others: object = {}) =>
    dnsOptionsSchema.parse({
      dns: name,
      server: primary.address,
      key: "${file:/etc/refloat/tsig}",
      ttl: "1s",
      ...more,
      ...others,
    });
  const addressesOf = (of: string) => lookUp(primary, of);
  const set = async (of: string, to: string) => {
    const from = [...(await addressesOf(of))];
    await sendUpdate(context, optionsOf({ dns: of }), { family: "A", from, to: [to] });
  };
  await set(name, old);
  await set("beside.example.test", "192.0.2.20");
  return {
    driver: dnsTraffic as TrafficDriver,
    context,
    options: optionsOf(),
    old,
    fresh,
    third,
    reached: async () => (await addressesOf(name)).find((address) => address !== page) ?? null,
    state: async () => [...(await addressesOf(name)), ...(await addressesOf("beside.example.test"))].join(" "),
    directByHand: (to) => set(name, to),
    wrong: {
      "does not answer": optionsOf({ server: "127.0.0.1:1" }),
      "does not serve the zone": optionsOf({ dns: "shop.example.com" }),
    },
    writeBeside: async () => {
      await set("beside.example.test", "192.0.2.21");
      return "192.0.2.21";
    },
    close: async () => undefined,
  };
};

describeTrafficDriver("dns with a page for those who are held", () =>
  openBench({ held: page, resolvers: [resolver.address] }),
);
describeTrafficDriver("dns without one", () => openBench({}), { holds: false });
