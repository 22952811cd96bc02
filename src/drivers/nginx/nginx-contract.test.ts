import { appendFile, readFile, writeFile } from "node:fs/promises";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { createTestFolder, createTestTrafficContext } from "../../testing/driver-context.ts";
import { askHttp, startHttpSide } from "../../testing/http-side.ts";
import { nginxUpstream, startNginx } from "../../testing/nginx-server.ts";
import { describeLoadingTrafficDriver } from "../../testing/traffic-driver-contract.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { nginxOptionsSchema } from "./nginx-options.ts";
import { nginxTraffic } from "./nginx-traffic.ts";

describeLoadingTrafficDriver("nginx", async () => {
  const folder = await createTestFolder();
  const sides = [await startHttpSide("old"), await startHttpSide("fresh"), await startHttpSide("third")] as const;
  const [old, fresh, third] = sides;
  const addresses = new Map([
    ["old", old.address],
    ["fresh", fresh.address],
    ["third", third.address],
  ]);
  const server = await startNginx(folder.path, old.address);
  const context = createTestTrafficContext();
  const optionsOf = (more: object = {}) =>
    nginxOptionsSchema.parse({
      nginx: server.upstreamFile,
      upstream: "shop",
      pid: server.pidFile,
      check: server.check,
      reload: server.reload,
      ...more,
    });
  const writeOnly = (to: string) => writeFile(server.upstreamFile, nginxUpstream(to));
  const reached = async () => addresses.get((await askHttp(server.url)).body) ?? null;
  return {
    driver: nginxTraffic as TrafficDriver,
    context,
    options: optionsOf(),
    old: old.address,
    fresh: fresh.address,
    third: third.address,
    reached,
    state: () => readFile(server.upstreamFile, "utf8"),
    directByHand: async (to) => {
      await writeOnly(to);
      await runProgram("sh", ["-c", server.reload], { signal: context.signal });
      while ((await reached()) !== to) await context.clock.sleep(20, context.signal);
    },
    wrong: {
      "does not run": optionsOf({ pid: `${folder.path}/none.pid` }),
      "has no such block": optionsOf({ upstream: "market" }),
      "has no such file": optionsOf({ nginx: `${folder.path}/none.conf` }),
    },
    writeBeside: async () => {
      await appendFile(server.upstreamFile, "# written meanwhile\n");
      return "# written meanwhile";
    },
    writeOnly,
    breakLoading: async () => ({ options: optionsOf({ reload: "true" }), mend: async () => undefined }),
    close: async () => {
      await server.stop();
      for (const side of sides) await side.close();
      await folder.remove();
    },
  };
});
