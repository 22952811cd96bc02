import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { createTestTrafficContext } from "../../testing/driver-context.ts";
import { startSegment } from "../../testing/network-segment.ts";
import { describeTrafficDriver } from "../../testing/traffic-driver-contract.ts";
import { addressOptionsSchema } from "./address-options.ts";
import { addressTraffic } from "./address-traffic.ts";

const ip = "10.9.0.50";
const holders = ["blue", "green", "red"] as const;

describeTrafficDriver("address", async () => {
  const { machines, stop } = await startSegment([...holders, "client"]);
  const placeOf = (name: (typeof holders)[number] | "client") => ({ interface: "eth0", enter: machines[name].enter });
  const optionsOf = (more: object = {}) =>
    addressOptionsSchema.parse({
      address: `${ip}/24`,
      holders: Object.fromEntries(holders.map((name) => [name, placeOf(name)])),
      client: placeOf("client"),
      to: "green",
      ...more,
    });
  const give = async (to: string) => {
    for (const name of holders) await machines[name].run(`ip addr flush dev eth0 to ${ip}/32`);
    await machines[to as "blue"].run(`ip addr add ${ip}/24 dev eth0; arping -q -U -c 1 -w 2 -I eth0 ${ip}`);
  };
  await give("blue");
  return {
    driver: addressTraffic as TrafficDriver,
    context: createTestTrafficContext(),
    options: optionsOf(),
    old: "blue",
    fresh: "green",
    third: "red",
    reached: async () => {
      const said = await machines.client.run(`arping -c 1 -w 1 -I eth0 ${ip} || true`);
      for (const name of holders) {
        const [, mac = "none"] = /link\/ether (\S+)/.exec(await machines[name].run("ip -o link show dev eth0")) ?? [];
        if (said.toLowerCase().includes(mac)) return name;
      }
      return null;
    },
    state: async () => {
      const told = holders.map(async (name) => `${name}: ${await machines[name].run("ip -4 -o addr show dev eth0")}`);
      return (await Promise.all(told)).join("");
    },
    directByHand: give,
    wrong: {
      "cannot be asked": optionsOf({
        holders: Object.fromEntries(holders.map((name) => [name, { interface: "eth0", enter: "false" }])),
      }),
    },
    writeBeside: async () => {
      await machines.blue.run("ip addr add 10.9.7.1/32 dev eth0");
      return "10.9.7.1/32";
    },
    close: stop,
  };
});
