/** Provision of a process: a real server that outlives whoever started it. */
import { findFreePort } from "../../testing/free-port.ts";
import { findByEnvironment } from "../../platform/process-table.ts";
import { describeProvisionContract } from "../../testing/provision-contract.ts";

const serve = `require("node:http").createServer((_, to) => to.end("ok")).listen(Number(process.env.PORT), "127.0.0.1")`;

describeProvisionContract({
  type: "process",
  declare: async () => {
    const port = await findFreePort();
    return { start: `exec '${process.execPath}' -e '${serve}'`, port, environment: { PORT: port } };
  },
  count: async ({ stateDirectory }) => findByEnvironment({ REFLOAT_STATE: stateDirectory }).length,
  killable: { leastPoints: 4, remove: false },
});
