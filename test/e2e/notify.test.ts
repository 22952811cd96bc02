/** Who is told of a real recovery (people, and a stand-in of a collector of traces), of one that fails, of captures that fail or are overdue; and that a dead webhook hurts none of them. */
import { once } from "node:events";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Notification, notificationSchema } from "../../src/model/notification.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("notifications", { timeout: 300_000 }, () => {
  let folder: TestFolder;
  let server: Server;
  let refloat: RefloatInside;
  let heard: Notification[] = [];
  let traces: unknown[] = [];

  const declare = (notify: string, check = "yes", more = "") =>
    writeFile(
      `${folder.path}/refloat.yaml`,
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
notify:
${notify}
services:
  notes:
    schedule: every 1s
${more}
    components:
      docs:
        type: files
        path: ${folder.path}/docs
        checks:
          - command: test ${check} = yes
`,
    );
  const hook = () => `  - webhook: http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-notify");
    server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (part: string) => (body += part));
      request.on("end", () => {
        if (request.url === "/v1/traces") traces.push(JSON.parse(body));
        else heard.push(notificationSchema.parse(JSON.parse(body)));
        response.end();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    await mkdir(`${folder.path}/docs`);
    await writeFile(`${folder.path}/docs/1.pdf`, "1");
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
    await declare(hook());
    const { port } = server.address() as AddressInfo;
    refloat = refloatInside(folder.path, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "notes"]);
  });
  beforeEach(() => {
    heard = [];
    traces = [];
  });
  afterAll(async () => {
    await refloat.close();
    server.closeAllConnections();
    server.close();
    await folder.remove();
  });

  const events = () => heard.map(({ event, run, state }) => [event, run, state]);

  it("tell of the begin and the end of a recovery", async () => {
    await refloat.succeed(["recover", "notes", "--yes"]);
    expect(events()).toEqual([
      ["run-started", 1, "running"],
      ["run-succeeded", 1, "succeeded"],
    ]);
    const [trace] = traces as { resourceSpans: { scopeSpans: { spans: { name: string }[] }[] }[] }[];
    const names = trace?.resourceSpans[0]?.scopeSpans[0]?.spans.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["recover", "restore", "check", "switch", "attempt"]));
    expect(heard[1]).toMatchObject({ service: "notes", title: "notes is recovered (run 1)", next: "refloat runs 1" });
  });

  it("tell of a recovery that fails, and why", async () => {
    await refloat.close();
    await declare(hook(), "no");
    expect((await refloat.run(["recover", "notes", "--yes"])).exit).toBe(4);
    expect(events().at(-1)).toEqual(["run-failed", 2, "failed"]);
    expect(heard.at(-1)?.message).not.toBe("");
    await refloat.close();
    await declare(hook());
  });

  it("tell everybody of a gate that was broken open", async () => {
    await refloat.close();
    await declare(`${hook()}\n    on: [capture-failed]`, "yes", "    approve: { by: [dba-on-call] }");
    expect((await refloat.run(["recover", "notes", "--yes"])).exit).toBe(6);
    await refloat.succeed(["approve", "3", "--override", "--reason", "nobody answers the phone"]);
    expect(events()).toEqual([["approval-overridden", 3, "waiting"]]);
    expect(heard[0]).toMatchObject({
      title: expect.stringMatching(/^\S+ has OVERRIDDEN the approval of run 3 of notes$/) as string,
      message: "nobody answers the phone; it needed one of dba-on-call",
    });
    await refloat.succeed(["cancel", "3", "--yes"]);
    await refloat.close();
    await declare(hook());
  });

  it("tell of a capture that fails", async () => {
    await rename(`${folder.path}/docs`, `${folder.path}/away`);
    expect((await refloat.run(["capture", "notes"])).exit).toBe(4);
    await rename(`${folder.path}/away`, `${folder.path}/docs`);
    expect(heard).toMatchObject([{ event: "capture-failed", service: "notes", next: "refloat validate --live notes" }]);
  });

  it("tell of a point that is overdue, once", async () => {
    await refloat.succeed(["notify", "overdue"]);
    const { stdout } = await refloat.succeed(["notify", "overdue"]);
    expect(events()).toEqual([["capture-overdue", null, null]]);
    expect(stdout).toContain("it was told before");
  });

  it("show who could not be reached, and hurt nothing", async () => {
    await refloat.close();
    await declare("  - webhook: http://127.0.0.1:1/T000/s3cret\n    timeout: 200ms");
    const recovered = await refloat.succeed(["recover", "notes", "--yes"]);
    expect(recovered.stdout).toContain("NOTES IS BACK");
    expect(recovered.stderr).toContain("run-succeeded was not told to webhook 127.0.0.1:1");
    expect(recovered.stderr).not.toContain("s3cret");
    const tried = await refloat.run(["notify", "test"]);
    expect([tried.exit, tried.stdout]).toEqual([4, expect.stringContaining("FAILED  test  webhook 127.0.0.1:1")]);
    await refloat.close();
    await declare("  []");
    expect((await refloat.run(["notify", "test"])).stderr).toContain("notify.no-target");
  });

  it("are declared with mistakes named", async () => {
    await refloat.close();
    await declare(
      `  - webhook: https://hooks.example.com/x
    on: [run-fail]
  - email: [oncall@example.com]
    from: refloat@example.com
    smtp: smtp://refloat@mail.example.com
    password: hunter2
  - webhook: \${db.url}
    template: "{{nonsense}}"
    services: [shop]
  - slack: https://hooks.example.com/x`,
    );
    const { stderr, exit } = await refloat.run(["validate"]);
    expect(exit).toBe(2);
    for (const said of [
      "run-fail",
      "holds the secret itself",
      "{{nonsense}}",
      "db.url",
      "names no kind of notification",
    ])
      expect(stderr).toContain(said);
    expect(stderr).not.toContain("hunter2");
  });
});
