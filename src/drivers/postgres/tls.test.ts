/** Encrypted connections: ours and those of the client programs. */
import { chown, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureInto, postgresContext } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { parsePostgresUrl } from "../../platform/postgres/connection-target.ts";
import { withSession } from "../../platform/postgres/session.ts";

let server: PostgresServer;
let folder: TestFolder;
const signal = new AbortController().signal;

const certify = async (name: string, host: string): Promise<void> => {
  const [key, certificate] = [join(server.directory, `${name}.key`), join(server.directory, `${name}.crt`)];
  await execa("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" "),
    ...`-subj /CN=${host} -addext subjectAltName=IP:${host} -keyout ${key} -out ${certificate}`.split(" "),
  ]);
  const { uid, gid } = await stat(server.directory);
  await chown(key, uid, gid);
};

beforeAll(async () => {
  folder = await createTestFolder();
  server = await startPostgresServer();
  await certify("server", "127.0.0.1");
  await certify("stranger", "127.0.0.1");
  await query(server.url("postgres"), `alter system set ssl_cert_file = '${join(server.directory, "server.crt")}'`);
  await query(server.url("postgres"), `alter system set ssl_key_file = '${join(server.directory, "server.key")}'`);
  await query(server.url("postgres"), "alter system set ssl = on");
  await query(server.url("postgres"), "select pg_reload_conf()");
  await query(server.url("postgres"), "create database shop");
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

const url = (parameters: string) => `${server.url("shop")}?${parameters}`;
const isEncrypted = (parameters: string) =>
  withSession(
    { target: parsePostgresUrl(url(parameters)), marker: "refloat/1/x/1", role: "source", signal },
    (session) => session.query<{ ssl: boolean }>("select ssl from pg_stat_ssl where pid = pg_backend_pid()"),
  );
const root = (name: string) => `sslrootcert=${join(server.directory, `${name}.crt`)}`;

test("each mode does what it says", async () => {
  expect(await isEncrypted("sslmode=disable")).toEqual([{ ssl: false }]);
  expect(await isEncrypted("sslmode=require")).toEqual([{ ssl: true }]);
  expect(await isEncrypted(`sslmode=verify-full&${root("server")}`)).toEqual([{ ssl: true }]);
});

test("a certificate that is not the expected one is refused, and so is one that nobody vouches for", async () => {
  for (const parameters of [`sslmode=verify-full&${root("stranger")}`, "sslmode=verify-full"]) {
    await expect(isEncrypted(parameters)).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringMatching(/^the certificate of the server at .* is not trusted: /),
      hint: expect.stringMatching(/sslrootcert/),
    });
  }
});

test("a server without encryption is told apart from one that cannot be trusted", async () => {
  const plain = await startPostgresServer();
  try {
    const target = parsePostgresUrl(`${plain.url("postgres")}?sslmode=require`);
    await expect(
      withSession({ target, marker: "refloat/1/x/1", role: "source", signal }, (session) => session.query("select 1")),
    ).rejects.toMatchObject({ code: "source.failed", message: expect.stringMatching(/has no encryption$/) });
  } finally {
    await plain.stop();
  }
});

test("a capture goes the same way with all of its programs", async () => {
  const options = { more: { url: url(`sslmode=verify-full&${root("server")}`) } };
  const captured = await captureInto(postgresContext(server, "shop", folder.path, options), join(folder.path, "vault"));
  expect(captured.facts.counts).toEqual({ tables: 0, rows: 0 });
});
