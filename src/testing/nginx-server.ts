/**
 * A throw-away nginx for tests: its files in a given folder, one server on a free loopback port that passes all on to the upstream block
 * `shop`, which has a file of its own. Not a model of how to run one for real.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RefloatError } from "../model/refloat-error.ts";
import { findFreePort } from "./free-port.ts";
import { askHttp } from "./http-side.ts";

export type NginxServer = {
  readonly url: string;
  /** File of the upstream block. */
  readonly upstreamFile: string;
  readonly configPath: string;
  readonly pidFile: string;
  /** Lines of the shell. */
  readonly check: string;
  readonly reload: string;
  /** Idempotent. */
  readonly stop: () => Promise<void>;
};

export const nginxUpstream = (address: string): string =>
  `# shop; see the runbook { }\nupstream shop {\n    # server 10.0.0.9:1;\n    keepalive 4;\n    server  ${address}   max_fails=0 ;\n}\n`;

export const startNginx = async (directory: string, address: string): Promise<NginxServer> => {
  const at = (name: string): string => join(directory, name);
  const port = await findFreePort();
  await writeFile(at("shop.conf"), nginxUpstream(address), { mode: 0o640 });
  await writeFile(
    at("nginx.conf"),
    `daemon off; worker_processes 2; pid ${at("nginx.pid")}; error_log ${at("error.log")};
events { }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${at(kind)};`).join(" ")}
  include ${at("shop.conf")};
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://shop; } }
}
`,
  );
  const child = spawn("nginx", ["-c", at("nginx.conf"), "-e", at("error.log")], { stdio: "ignore" });
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  while ((await askHttp(url).catch(() => null)) === null) {
    if (child.exitCode !== null)
      throw new RefloatError("program.failed", `nginx does not run: ${await readFile(at("error.log"), "utf8")}`);
    await delay(20);
  }
  const program = `nginx -c ${at("nginx.conf")} -e ${at("error.log")}`;
  return {
    url,
    upstreamFile: at("shop.conf"),
    configPath: at("nginx.conf"),
    pidFile: at("nginx.pid"),
    check: `${program} -t`,
    reload: `${program} -s reload`,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
};
