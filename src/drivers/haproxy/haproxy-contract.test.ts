import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { createTestTrafficContext } from "../../testing/driver-context.ts";
import { startHaproxy } from "../../testing/haproxy-server.ts";
import { askHttp, startHttpSide } from "../../testing/http-side.ts";
import { describeTrafficDriver } from "../../testing/traffic-driver-contract.ts";
import { haproxyOptionsSchema, readServerAddress } from "./haproxy-options.ts";
import { haproxyTraffic } from "./haproxy-traffic.ts";

describeTrafficDriver("haproxy", async () => {
  const sides = [await startHttpSide("old"), await startHttpSide("fresh"), await startHttpSide("third")] as const;
  const [old, fresh, third] = sides;
  const addresses = new Map([
    ["old", old.address],
    ["fresh", fresh.address],
    ["third", third.address],
  ]);
  const proxy = await startHaproxy({ servers: { app: old.address, spare: "127.0.0.1:1 disabled" } });
  const optionsOf = (more: object = {}) =>
    haproxyOptionsSchema.parse({ haproxy: "shop/app", socket: proxy.socket, stateFile: proxy.stateFile, ...more });
  const direct = async (server: string, to: string) => {
    const { host, port } = readServerAddress(to);
    await proxy.ask(`set server shop/${server} addr ${host} port ${port}`);
  };
  return {
    driver: haproxyTraffic as TrafficDriver,
    context: createTestTrafficContext(),
    options: optionsOf(),
    old: old.address,
    fresh: fresh.address,
    third: third.address,
    reached: async () => addresses.get((await askHttp(proxy.url)).body) ?? null,
    state: async () => {
      const rows = (await proxy.ask("show servers state shop")).split("\n").slice(1);
      const cells = rows.filter((row) => row !== "").map((row) => row.replace(/^# /, "").split(" "));
      const columns = ["srv_name", "srv_addr", "srv_port", "srv_admin_state"].map(
        (name) => cells[0]?.indexOf(name) ?? -1,
      );
      return cells.map((row) => columns.map((column) => row[column]).join(" ")).join("\n");
    },
    directByHand: (to) => direct("app", to),
    wrong: {
      "does not answer": optionsOf({ socket: "/nowhere/admin.sock" }),
      "has no such server": optionsOf({ haproxy: "shop/nobody" }),
      "has no such back end": optionsOf({ haproxy: "market/app" }),
    },
    writeBeside: async () => {
      await direct("spare", "127.0.0.9:9999");
      return "spare 127.0.0.9 9999";
    },
    close: async () => {
      await proxy.stop();
      for (const side of sides) await side.close();
    },
  };
});
