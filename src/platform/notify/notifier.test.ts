/** Notifications over a real HTTP server and a real SMTP server. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type IncomingHttpHeaders, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Notification, NotifyTarget } from "../../model/notification.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { silentLog } from "../log.ts";
import { createNotifier } from "./create-notifier.ts";

type Posted = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string };

let folder: TestFolder;
let http: Server;
let smtp: SMTPServer;
let origin: string;
let smtpPort: number;
let posted: Posted[] = [];
let mails: { readonly to: readonly string[]; readonly user: string | null; readonly text: string }[] = [];
/** Statuses of the next answers; 200 when empty, and no answer at all for 0. */
let answers: number[] = [];

beforeAll(async () => {
  folder = await createTestFolder("refloat-notify");
  http = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      posted.push({ path: request.url ?? "", headers: request.headers, body });
      const status = answers.shift() ?? 200;
      if (status === 0) return;
      response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end("said");
    });
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _session, callback) =>
      password === "hunter2" ? callback(null, { user: username ?? "" }) : callback(new Error("no such user")),
    onData: (stream, { envelope, user }, callback) => {
      let text = "";
      stream.setEncoding("utf8").on("data", (part: string) => (text += part));
      stream.on("end", () => {
        mails.push({
          to: envelope.rcptTo.map(({ address }) => address),
          user: typeof user === "string" ? user : null,
          text,
        });
        callback();
      });
    },
  });
  const listening = smtp.listen(0, "127.0.0.1");
  await once(listening, "listening");
  smtpPort = (listening.address() as AddressInfo).port;
  await writeFile(`${folder.path}/secret`, "s3cret\n", { mode: 0o600 });
  await writeFile(`${folder.path}/password`, "hunter2\n", { mode: 0o600 });
  await writeFile(`${folder.path}/wrong`, "wrong\n", { mode: 0o600 });
});
beforeEach(() => {
  posted = [];
  mails = [];
  answers = [];
});
afterAll(async () => {
  http.closeAllConnections();
  http.close();
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
  await folder.remove();
});

const notification: Notification = {
  schema: "refloat/notification/v1",
  event: "run-failed",
  at: "2026-11-22T15:13:19.000Z",
  service: "shop",
  host: "shop-1",
  title: 'recovery of "shop" failed',
  message: "line 1\nline 2",
  next: "refloat resume 42",
  run: 42,
  state: "failed",
};

const notifier = (...targets: readonly NotifyTarget[]) =>
  createNotifier({ targets: async () => targets, memory: `${folder.path}/state/notified.json`, log: silentLog });

/** Tells it, and gives back what became of it. */
const told = async (target: NotifyTarget, message: Notification = notification) => {
  const one = notifier(target);
  one.tell(message);
  return one.settle();
};

describe("a webhook", () => {
  it("gets all fields as JSON, signed with the time in it", async () => {
    const outcome = await told({
      webhook: `${origin}/hook`,
      secret: `\${file:${folder.path}/secret}`,
      headers: { Authorization: `Bearer \${file:${folder.path}/password}` },
    });
    expect(outcome).toEqual([{ target: `webhook ${new URL(origin).host}`, event: "run-failed", problem: null }]);
    const [{ headers, body, path } = { headers: {}, body: "", path: "" }] = posted;
    expect(JSON.parse(body)).toEqual(notification);
    expect([path, headers["content-type"], headers.authorization]).toEqual([
      "/hook",
      "application/json",
      "Bearer hunter2",
    ]);
    const [, seconds = "", signature] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["x-refloat-signature"])) ?? [];
    expect(signature).toBe(createHmac("sha256", "s3cret").update(`${seconds}.${body}`).digest("hex"));
    expect(Number(seconds)).toBe(Date.parse(notification.at) / 1000);
  });

  it("gets a template with the fields escaped for JSON", async () => {
    await told({ webhook: origin, template: '{ "text": "{{title}}: {{ message }} {{run}}" }' });
    expect(JSON.parse(posted[0]?.body ?? "")).toEqual({ text: 'recovery of "shop" failed: line 1\nline 2 42' });
  });

  it("is tried again where that may help, and not where it cannot", async () => {
    answers = [503, 429];
    expect(await told({ webhook: origin })).toMatchObject([{ problem: null }]);
    expect(posted).toHaveLength(3);
    posted = [];
    answers = [404];
    expect(await told({ webhook: origin })).toMatchObject([{ problem: "HTTP 404, 1 try" }]);
    // A redirection could lead what is signed and secret to anywhere.
    answers = [302];
    const [outcome] = await told({ webhook: origin, timeout: "300ms" });
    expect(outcome?.problem).not.toBeNull();
    expect(posted.map(({ path }) => path)).not.toContain("/elsewhere");
  });

  it("is given up after its time, and its address, which may be a secret, is not told", async () => {
    answers = [0];
    const [silent] = await told({ webhook: `${origin}/T000/hunter2`, timeout: "200ms" });
    expect(silent?.problem).toBe("no answer in time");
    const refused = await told({ webhook: "http://127.0.0.1:1/hunter2", timeout: "200ms" });
    expect(refused).toMatchObject([{ target: "webhook 127.0.0.1:1" }]);
    await writeFile(`${folder.path}/address`, "no address hunter2", { mode: 0o600 });
    const broken = await told({ webhook: `\${file:${folder.path}/address}`, timeout: "200ms" });
    const missing = await told({ webhook: `\${file:${folder.path}/none}` });
    expect(missing[0]?.problem).toContain("none");
    expect(JSON.stringify([silent, refused, broken])).not.toContain("hunter2");
  });
});

describe("a mail", () => {
  const email = (parts: object = {}): NotifyTarget => ({
    email: ["oncall@example.com", "dba@example.com"],
    from: "refloat@example.com",
    smtp: `smtp://127.0.0.1:${smtpPort}`,
    ...parts,
  });

  it("tells what happened and what to type", async () => {
    expect(await told(email(), { ...notification, title: "recovery of shop failed" })).toMatchObject([
      { target: "mail to oncall@example.com, dba@example.com", problem: null },
    ]);
    expect(mails[0]?.to).toEqual(["oncall@example.com", "dba@example.com"]);
    expect(mails[0]?.text).toContain("Subject: [refloat] recovery of shop failed");
    expect(mails[0]?.text).toContain("line 1\r\nline 2\r\n\r\nnext: refloat resume 42");
  });

  it("is sent as the declared user, with templates; no message can add a header", async () => {
    const target = email({
      smtp: `smtp://refloat@127.0.0.1:${smtpPort}`,
      password: `\${file:${folder.path}/password}`,
      subject: "{{service}}: {{message}}",
      template: "{{host}} {{state}}",
    });
    await told(target, { ...notification, message: "x\r\nBcc: eve@example.com" });
    expect(mails[0]?.user).toBe("refloat");
    expect(mails[0]?.to).toEqual(["oncall@example.com", "dba@example.com"]);
    expect(mails[0]?.text).toContain("Subject: shop: x Bcc: eve@example.com");
    expect(mails[0]?.text).toContain("\r\n\r\nshop-1 failed");
  });

  it("that is refused says so, without the password", async () => {
    const wrong = email({ smtp: `smtp://refloat@127.0.0.1:${smtpPort}`, password: `\${file:${folder.path}/wrong}` });
    const [outcome] = await told(wrong);
    expect(outcome?.problem).toMatch(/^EAUTH: 535/);
    expect(mails).toEqual([]);
    expect(await told(email({ smtp: "smtp://127.0.0.1:1" }))).toMatchObject([
      { problem: "ESOCKET: connect ECONNREFUSED 127.0.0.1:1" },
    ]);
  });
});

describe("the notifier", () => {
  it("tells each target what it listens to, and one that fails keeps no other from being told", async () => {
    const one = notifier(
      { webhook: `${origin}/failed`, on: ["run-failed"] },
      { webhook: `${origin}/other`, on: ["run-succeeded"] },
      { webhook: `${origin}/notes`, services: ["notes"] },
      { webhook: "http://127.0.0.1:1", timeout: "100ms" },
    );
    one.tell(notification);
    one.tell(async () => ({ ...notification, event: "test" }));
    one.tell(async () => null);
    one.tell(() => Promise.reject(new Error("the journal is gone")));
    const outcomes = await one.settle();
    expect(outcomes.filter(({ problem }) => problem !== null)).toHaveLength(2);
    expect(posted.map(({ path }) => path).toSorted()).toEqual(["/failed", "/failed", "/notes", "/other"]);
    expect(await one.settle()).toEqual([]);
  });

  it("tells once, also after a restart, and again when it has reached nobody", async () => {
    const target = { webhook: origin, timeout: "300ms" };
    answers = [404];
    await notifier(target).tellOnce("overdue/shop", "16:00", notification);
    await notifier(target).tellOnce("overdue/shop", "16:00", notification);
    await notifier(target).tellOnce("overdue/shop", "16:00", notification);
    expect(posted).toHaveLength(2);
    await notifier(target).tellOnce("overdue/shop", "16:30", notification);
    expect(posted).toHaveLength(3);
    expect(JSON.parse(await readFile(`${folder.path}/state/notified.json`, "utf8"))).toEqual({
      "overdue/shop": "16:30",
    });
  });
});
