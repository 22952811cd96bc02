import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TestFolder, createTestFolder, createTestTrafficContext } from "../../testing/driver-context.ts";
import { type HttpSide, askHttp, startHttpSide } from "../../testing/http-side.ts";
import { nginxUpstream, startNginx } from "../../testing/nginx-server.ts";
import { type NginxOptions, nginxOptionsSchema } from "./nginx-options.ts";
import { nginxTraffic } from "./nginx-traffic.ts";

const context = createTestTrafficContext();
const sides: HttpSide[] = [];
let folder: TestFolder;
let url: string;
let options: NginxOptions;
let stop: () => Promise<void>;

const startSide = async (name: string, held?: Promise<void>): Promise<HttpSide> => {
  const side = await startHttpSide(name, held);
  sides.push(side);
  return side;
};

/** An nginx of its own, on a free port. */
const start = async (address: string): Promise<void> => {
  const server = await startNginx(folder.path, address);
  ({ url, stop } = server);
  options = nginxOptionsSchema.parse({
    nginx: server.upstreamFile,
    upstream: "shop",
    pid: server.pidFile,
    check: server.check,
    reload: server.reload,
    to: "${app.address}",
  });
};

beforeEach(async () => {
  folder = await createTestFolder();
  stop = async () => undefined;
});
afterEach(async () => {
  await stop();
  for (const side of sides.splice(0)) await side.close();
  await folder.remove();
});

describe("traffic through nginx", () => {
  test("is held, directed to the other side and admitted, each once more without effect", async () => {
    const [blue, green] = [await startSide("blue"), await startSide("green")];
    await start(blue.address);
    expect(await askHttp(url)).toEqual({ status: 200, body: "blue" });
    expect(await nginxTraffic.observe(context, options)).toMatchObject({ admitted: true, address: blue.address });

    await nginxTraffic.hold(context, options);
    await nginxTraffic.hold(context, options);
    expect((await askHttp(url)).status).toBe(502);
    expect(await nginxTraffic.observe(context, options)).toMatchObject({ admitted: false, address: blue.address });

    await nginxTraffic.admit(context, options, green.address);
    await nginxTraffic.admit(context, options, green.address);
    expect(await askHttp(url)).toEqual({ status: 200, body: "green" });
    // All else in the file is as a person wrote it.
    expect(await readFile(options.nginx, "utf8")).toBe(nginxUpstream(green.address));
  });

  test("has its last requests answered, or cut, before it counts as held", async () => {
    const asked = Promise.withResolvers<void>();
    const never = Promise.withResolvers<void>();
    const slow = await startSide("slow", never.promise);
    const fast = await startSide("fast");
    await start(fast.address);
    await nginxTraffic.admit(context, options, slow.address);
    const pending = askHttp(url).then(
      ({ status }) => status,
      () => 0,
    );
    void pending.then(() => asked.resolve());
    await Promise.race([asked.promise, delay(200)]);
    await nginxTraffic.hold(context, options);
    expect(await pending).not.toBe(200);
    never.resolve();
  });

  test("is left as it was when nginx does not take what was written", async () => {
    const blue = await startSide("blue");
    await start(blue.address);
    await expect(nginxTraffic.admit(context, options, "no-such-host.invalid:80")).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining("host not found in upstream"),
    });
    expect(await readFile(options.nginx, "utf8")).toBe(nginxUpstream(blue.address));
    await expect(nginxTraffic.admit(context, options, "evil; } #")).rejects.toMatchObject({ code: "config.invalid" });
    expect(await askHttp(url)).toEqual({ status: 200, body: "blue" });
  });

  test("is not taken for held when nothing was loaded", async () => {
    const blue = await startSide("blue");
    await start(blue.address);
    await expect(nginxTraffic.hold(context, { ...options, reload: "true" })).rejects.toMatchObject({
      code: "fence.failed",
      message: `nginx did not load ${options.nginx}: no new worker process came`,
    });
  });
});

describe("before anything is touched", () => {
  test("it is told where users are sent, and whether nginx takes its configuration", async () => {
    const blue = await startSide("blue");
    await start(blue.address);
    const found = async () =>
      (await nginxTraffic.preflight(context, options)).findings.map(({ ok, found: text }) => [ok, text]);
    expect(await found()).toEqual([
      [true, expect.stringMatching(/^nginx runs, process \d+$/)],
      [true, `shop: ${blue.address}, admitted`],
      [true, "nginx takes its configuration as it stands"],
    ]);
    await writeFile(join(folder.path, "nginx.conf"), "nonsense;");
    expect((await found()).at(-1)).toEqual([false, expect.stringContaining('unknown directive "nonsense"')]);
    await stop();
    stop = async () => undefined;
    await expect(nginxTraffic.preflight(context, options)).rejects.toMatchObject({ code: "target.failed" });
  });

  test.each([
    ["no such block", "upstream market { server 127.0.0.1:1; }", 'there is no block "upstream shop"'],
    ["no server", "upstream shop { ip_hash; }", "upstream shop has no server"],
    [
      "two servers",
      "upstream shop { server a:1; server b:1; }",
      "upstream shop has 2 servers, and only one can be switched",
    ],
    [
      "two blocks",
      "upstream shop { server a:1; }\nupstream shop { server b:1; }",
      'there are 2 blocks "upstream shop"',
    ],
  ])("a file of another form is refused: %s", async (_, text, why) => {
    const nginx = join(folder.path, "shop.conf");
    await writeFile(nginx, text);
    const declared = nginxOptionsSchema.parse({ nginx, upstream: "shop" });
    await expect(nginxTraffic.observe(context, declared)).rejects.toMatchObject({
      code: "source.unsupported",
      message: `${nginx}: ${why}`,
    });
  });
});
