/** Could it be recovered now? A real database, folder, application and HAProxy, one thing broken after the other. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { writeCertificate } from "../../src/testing/certificate.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type HaproxyServer, startHaproxy } from "../../src/testing/haproxy-server.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { writeSampleRelease } from "../../src/testing/sample-application.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("ready", { timeout: 300_000 }, () => {
  let folder: TestFolder;
  let server: PostgresServer;
  let haproxy: HaproxyServer;
  let app: ChildProcess;
  let program: RefloatInside;
  let ports: readonly [number, number];

  const declare = (parts: { rpo?: string; password?: string } = {}) =>
    writeFile(
      `${folder.path}/refloat.yaml`,
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services:
  shop:
    objectives: { rto: 15m, rpo: ${parts.rpo ?? "1h"} }
    components:
      db: { type: postgres, url: "${server.url("shop")}", password: "\${file:${parts.password ?? `${folder.path}/db-password`}}" }
      docs: { type: files, path: ${folder.path}/docs }
      app:
        type: process
        release: ${folder.path}/current
        start: node server.js
        ports: ${ports[0]}-${ports[1]}
        environment: { PORT: "\${self.port}", DATABASE_URL: "\${db.url}", TLS_CERT: ${folder.path}/tls.pem }
    cutover:
      - haproxy: shop/app
        socket: ${haproxy.socket}
        to: \${app.address}
`,
    );

  /** By area, what is not ok. */
  const ready = async () => {
    const ended = await program.run(["ready", "shop", "--json"]);
    const { data } = resultEnvelopeSchema("ready").parse(ended.lines.at(-1));
    const against = data.checks
      .filter(({ level }) => level !== "ok")
      .map(({ level, area, found }) => [level, area, found] as const);
    return { exit: ended.exit, data, against };
  };

  beforeAll(async () => {
    folder = await createTestFolder("refloat-ready");
    await chmod(folder.path, 0o755);
    server = await startPostgresServer({ password: "hunter2" });
    await writeFile(`${folder.path}/db-password`, "hunter2", { mode: 0o600 });
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
    const first = await findFreePort(2);
    ports = [first, first + 1];
    haproxy = await startHaproxy({ servers: { app: `127.0.0.1:${first}` } });
    await mkdir(`${folder.path}/docs`);
    await writeFile(`${folder.path}/docs/1.pdf`, "1");
    await writeSampleRelease(`${folder.path}/releases/2.5.0`, "2.5.0");
    await symlink("releases/2.5.0", `${folder.path}/current`);
    await writeCertificate(folder.path);
    await declare();
    await query(server.url("postgres").replace("@", ":hunter2@"), "create database shop");
    app = spawn(process.execPath, ["server.js"], {
      cwd: `${folder.path}/current`,
      env: { PATH: process.env["PATH"], PORT: String(first), TLS_CERT: `${folder.path}/tls.pem` },
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (app.stdout === null) throw new Error("no output to wait for");
    await once(createInterface(app.stdout), "line");
    program = refloatInside(folder.path);
    await program.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    await program?.close();
    if (app?.exitCode === null) {
      app.kill();
      await once(app, "exit");
    }
    await haproxy?.stop();
    await server?.stop();
    await folder?.remove();
  });

  it("is not, before the first point; and then but for what nobody has done yet", async () => {
    expect(await ready()).toMatchObject({
      exit: 4,
      data: { ready: false, point: null, predictedMs: null },
      against: expect.arrayContaining([["not-ready", "point", "there is no recovery point"]]) as unknown,
    });
    await program.succeed(["capture", "shop"]);
    const { exit, data, against } = await ready();
    expect(against.filter(([level]) => level === "not-ready")).toEqual([]);
    expect(exit).toBe(0);
    expect(data.predictedMs).toBeGreaterThan(0);
    expect(against.map(([, area]) => area)).toEqual(expect.arrayContaining(["vault", "point", "rehearsal"]));
    const areas = new Set(data.checks.map(({ area }) => area));
    expect([...areas]).toEqual(
      expect.arrayContaining(["vault", "point", "secrets", "db", "docs", "app", "cutover haproxy", "space", "plan"]),
    );
    expect(data.checks).toContainEqual(
      expect.objectContaining({
        area: "app",
        subject: "ports",
        level: "ok",
        found: expect.stringContaining(String(ports[1])) as string,
      }),
    );
    expect(data.checks).toContainEqual(expect.objectContaining({ area: "app", subject: "fingerprint", level: "ok" }));
    const { lines } = await program.succeed(["runs", "--json"]);
    expect(lines.at(-1)).toMatchObject({ data: [] });
  });

  it("warns less once it was verified and rehearsed", async () => {
    await program.succeed(["verify", "--read-data"]);
    await program.succeed(["recover", "shop", "--no-cutover", "--yes"]);
    const { data, against } = await ready();
    expect(against.map(([, area]) => area)).not.toContain("rehearsal");
    expect(data.checks).toContainEqual(expect.objectContaining({ subject: "verified", level: "ok" }));
    expect(data.checks).toContainEqual(
      expect.objectContaining({ area: "rehearsal", found: expect.stringMatching(/^run 1 worked/) as string }),
    );
    await program.succeed(["cancel", "1", "--yes"]);
  });

  it("has one line for what is well, and reason and next step for what is not", async () => {
    const { stdout } = await program.succeed(["ready", "shop"]);
    const [head = ""] = stdout.split("\n");
    expect(head).toMatch(/^SHOP IS READY {2}/);
    expect(stdout.split("\n").filter((line) => /^ok +docs /.test(line))).toHaveLength(1);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("warning plan no probe is declared");
    expect(stdout).toContain("next: refloat vault keys add --recovery");
  });

  it.each([
    ["a proxy that is gone", "cutover haproxy", /./, () => haproxyAway()],
    ["a password that is wrong", "db", /password authentication failed/, () => wrongPassword()],
    ["a certificate that is gone", "app", /tls\.pem valid to .*, not found here/, () => certificateAway()],
    ["a point older than its rpo", "point", /more than 1s \(rpo\)/, () => declareShortRpo()],
    ["a secret that is gone", "secrets", /cannot be read on this machine/, () => secretAway()],
  ] as const)("is not ready with %s, and says so", async (_what, area, reason, breakIt) => {
    const mend = await breakIt();
    try {
      const { exit, against } = await ready();
      expect(exit).toBe(4);
      expect(against).toContainEqual(["not-ready", area, expect.stringMatching(reason)]);
    } finally {
      await mend();
      // Declarations are read once by a workbench.
      await program.close();
    }
  });

  it("is ready although the folder that a recovery makes again was deleted", async () => {
    await rename(`${folder.path}/docs`, `${folder.path}/docs-away`);
    try {
      const { exit, against } = await ready();
      expect(against.filter(([level]) => level === "not-ready")).toEqual([]);
      expect(exit).toBe(0);
      expect(against).toContainEqual(["warning", "docs", expect.stringContaining("a recovery makes it again")]);
    } finally {
      await rename(`${folder.path}/docs-away`, `${folder.path}/docs`);
    }
  });

  const haproxyAway = async () => {
    await rename(haproxy.socket, `${haproxy.socket}.away`);
    return () => rename(`${haproxy.socket}.away`, haproxy.socket);
  };
  const wrongPassword = async () => {
    await writeFile(`${folder.path}/wrong`, "wrong", { mode: 0o600 });
    await program.close();
    await declare({ password: `${folder.path}/wrong` });
    return () => declare();
  };
  const certificateAway = async () => {
    await rename(`${folder.path}/tls.pem`, `${folder.path}/tls.away`);
    return () => rename(`${folder.path}/tls.away`, `${folder.path}/tls.pem`);
  };
  const declareShortRpo = async () => {
    await program.close();
    await declare({ rpo: "1s" });
    return () => declare();
  };
  const secretAway = async () => {
    await program.close();
    await declare({ password: `${folder.path}/gone` });
    return () => declare();
  };
});
