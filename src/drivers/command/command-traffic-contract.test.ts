import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { createTestFolder, createTestTrafficContext } from "../../testing/driver-context.ts";
import { describeTrafficDriver } from "../../testing/traffic-driver-contract.ts";
import { commandTraffic } from "./command-traffic.ts";

const [old, fresh, third] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];

describeTrafficDriver("command", async () => {
  const folder = await createTestFolder();
  const path = join(folder.path, "routes");
  await writeFile(path, `shop ${old}\n`);
  const optionsOf = (more: object = {}) =>
    commandTraffic.options.parse({
      command: `if [ "$REFLOAT_ACTION" = admit ]; then to="$REFLOAT_TO"; fi; sed -i "s/^shop.*/shop $to/" '${path}'`,
      observe: `sed -n 's/^shop //p' '${path}'`,
      to: "${app.address}",
      ...more,
    });
  const read = () => readFile(path, "utf8");
  return {
    driver: commandTraffic as TrafficDriver,
    context: createTestTrafficContext(),
    options: optionsOf(),
    old,
    fresh,
    third,
    reached: async () => /^shop (\S+)$/m.exec(await read())?.[1] ?? null,
    state: read,
    directByHand: async (to) => writeFile(path, (await read()).replace(/^shop.*$/m, `shop ${to}`)),
    wrong: { "cannot be told": optionsOf({ command: "no-such-program", observe: "no-such-program" }) },
    writeBeside: async () => {
      await appendFile(path, "market 10.0.0.9:80\n");
      return "market 10.0.0.9:80";
    },
    close: folder.remove,
  };
});
