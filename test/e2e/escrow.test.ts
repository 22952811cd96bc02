/** Secrets that a recovery needs, beside the points that must not hold them: from the command line, with stock restic and age as judges. */
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createEscrowBundles } from "../../src/vault/points/escrow-bundles.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { password, requireRestic, restic } from "../interop/support/restic.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";
import { refloatIn } from "./support/refloat-program.ts";

requireRestic();

let folder: TestFolder;
let refloat: RefloatInside;
let recoveryKey: string;

const at = (name: string): string => `${folder.path}/${name}`;
const token = "t0k3n-of-the-shop";

const declaration = (): string => `vault:
  url: ${at("vault")}
  password: \${file:${at("password")}}
services:
  shop:
    components:
      docs: { type: files, path: ${at("docs")} }
      app:
        type: process
        release: ${at("release")}
        start: node server.js
        ports: 8081-8082
        environment:
          DB_PASSWORD: \${file:${at("secrets/db-password")}}
          API_TOKEN: \${env:ESCROW_TEST_TOKEN}
          SIGNING_KEY: \${command:cat ${at("secrets/signing")}}
`;

beforeAll(async () => {
  folder = await createTestFolder("refloat-escrow");
  for (const name of ["docs", "release", "secrets", "tls"]) await mkdir(at(name));
  await writeFile(at("docs/a.txt"), "not a secret\n");
  await writeFile(at("secrets/db-password"), "hunter2-of-the-shop\n", { mode: 0o600 });
  await writeFile(at("secrets/signing"), "signing-key-of-the-shop\n");
  await writeFile(at("tls/shop.key"), Buffer.from([0, 255, 10, 0]));
  await writeFile(at("password"), `${password}\n`, { mode: 0o600 });
  await writeFile(at("refloat.yaml"), declaration());
  process.env["ESCROW_TEST_TOKEN"] = token;
  const { exitCode } = await execa("age-keygen", ["-o", at("identity")], { reject: false });
  if (exitCode !== 0) throw new Error("age is not installed: apt-get install age");
  refloat = refloatInside(folder.path);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "shop"]);
});

afterAll(async () => {
  delete process.env["ESCROW_TEST_TOKEN"];
  await refloat.close();
  await folder.remove();
});

const escrow = async (...args: readonly string[]) =>
  resultEnvelopeSchema("vault-escrow").parse(
    (await refloat.succeed(["vault", "escrow", ...args, "--json"])).lines.at(-1),
  ).data;
const refused = async (...args: readonly string[]) => {
  const { exit, stderr } = await refloat.run(["vault", "escrow", ...args]);
  return `${exit} ${stderr.replaceAll(/\s+/g, " ")}`;
};
const publicKey = async (): Promise<string> => /age1\w+/.exec(await readFile(at("identity"), "utf8"))?.[0] ?? "";

const names = () => [
  `files${at("secrets/db-password")}`,
  "env/ESCROW_TEST_TOKEN",
  "commands/1",
  `files${at("tls/shop.key")}`,
];

it("refuses a key that opens the vault, and what it cannot read, and then has changed nothing", async () => {
  expect((await refloat.succeed(["vault", "escrow"])).stdout).toContain("holds no escrow bundle");
  expect(await refused("seal", "--key-file", at("password"))).toMatch(
    /^3 error escrow.shared-key: this password opens the vault as well/,
  );
  expect(await refused("seal", "--key-file", at("identity"))).toMatch(/^2 error usage: that is the private key/);
  expect(await refused("seal", "--recipient", "age1nobody")).toMatch(/^2 error usage: age1nobody is no public key/);
  expect(await refused("seal", "--recipient", await publicKey(), at("nothing"))).toMatch(
    /^3 error secret.unavailable: the secret file \S+\/nothing cannot be read: ENOENT state: nothing was changed/,
  );
  expect(await refused("open", at("opened"), "--key-file", at("identity"))).toMatch(/^2 error escrow.unknown/);
  expect(await refused("seal", "--recovery", "--recipient", "age1x")).toMatch(/^2 error usage/);
  expect(await escrow()).toMatchObject({ bundles: [], contents: null });
});

it("seals what services refer to and what is named; the vault's password shows no name of it", async () => {
  const sealed = await escrow("seal", at("tls"), "--recovery");
  recoveryKey = sealed.recoveryKey ?? "";
  expect(sealed.contents?.items.map(({ name }) => name)).toEqual(names());
  expect(sealed.bundles).toMatchObject([{ secrets: 4, openedBy: "password" }]);
  const { stdout } = await refloat.succeed(["vault", "escrow", "list"]);
  expect(stdout).toMatch(/its password/);
  for (const hidden of ["db-password", "TOKEN", "shop.key"]) expect(stdout).not.toContain(hidden);
  expect(await refused("open", at("opened"), "--key-file", at("password"))).toMatch(/^3 error escrow.wrong-key/);
  // As somebody types it from paper.
  await writeFile(at("paper"), ` ${recoveryKey.toLowerCase().replaceAll("-", " ")}\n`, { mode: 0o600 });
  expect((await escrow("list", "--key-file", at("paper"))).contents?.items).toHaveLength(4);
});

it("writes them into a new folder, byte for byte and for their owner alone", async () => {
  await escrow("seal", at("tls"), "--recipient", await publicKey());
  const { target, contents } = await escrow("open", "opened", "--key-file", at("identity"));
  expect(target).toBe(at("opened"));
  expect(contents?.items.map(({ name }) => name)).toEqual(names());
  const content = async (name: string) => readFile(`${at("opened")}/${name}`);
  expect((await content(`files${at("secrets/db-password")}`)).toString()).toBe("hunter2-of-the-shop\n");
  expect(await content(`files${at("tls/shop.key")}`)).toEqual(Buffer.from([0, 255, 10, 0]));
  expect((await content("env/ESCROW_TEST_TOKEN")).toString()).toBe(token);
  expect((await content("commands/1")).toString()).toBe("signing-key-of-the-shop");
  expect((await stat(`${at("opened")}/commands/1`)).mode & 0o777).toBe(0o600);
  expect(await refused("open", at("opened"), "--key-file", at("identity"))).toMatch(/^3 error target.exists/);
  // The one before has another key.
  const [, older] = (await escrow()).bundles;
  const id = older?.id.slice(0, 8) ?? "";
  expect(await refused("open", at("older"), "--bundle", id, "--key-file", at("identity"))).toMatch(
    /^3 error escrow.wrong-key/,
  );
  expect((await readdir(folder.path)).filter((name) => name.includes("older"))).toEqual([]);
});

it("goes without what cannot be read where a person says so, and tells", async () => {
  delete process.env["ESCROW_TEST_TOKEN"];
  try {
    const wanted = ["seal", "--recipient", await publicKey()];
    expect(await refused(...wanted)).toMatch(/^3 error secret.unavailable: .*ESCROW_TEST_TOKEN.*--accept-missing/);
    const { missing, contents } = await escrow(...wanted, "--accept-missing");
    expect(missing).toEqual([expect.stringContaining("ESCROW_TEST_TOKEN")]);
    expect(contents?.items).toHaveLength(2);
  } finally {
    process.env["ESCROW_TEST_TOKEN"] = token;
  }
});

it("is given back by stock restic and age, and leaves the vault a sound one", async () => {
  await refloat.close();
  expect(await restic(at("vault"), "check", "--read-data")).toContain("no errors were found");
  const [, second] = (await escrow()).bundles;
  await refloat.close();
  await mkdir(at("by-age"));
  await execa(
    "sh",
    [
      "-c",
      `restic --no-cache -r vault dump ${second?.id ?? ""} /refloat/escrow.age | age --decrypt -i identity | tar -x -C by-age`,
    ],
    { cwd: folder.path, env: { RESTIC_PASSWORD: password } },
  );
  expect(await readFile(`${at("by-age")}/env/ESCROW_TEST_TOKEN`, "utf8")).toBe(token);
});

it("comes to a second vault with the points, under its own key as before", async () => {
  await writeFile(at("copy-password"), "the password of the copy\n", { mode: 0o600 });
  const to = ["--to", at("copy"), "--to-password-file", at("copy-password")];
  const copied = await refloat.succeed(["vault", "copy", ...to, "--init", "--json"]);
  expect(resultEnvelopeSchema("vault-copy").parse(copied.lines.at(-1)).data).toMatchObject({ escrows: 3 });
  const again = await refloat.succeed(["vault", "copy", ...to]);
  expect(again.stdout).not.toContain("bundle");
  await refloat.close();
  // On a machine that has the copy, its password and the bundle's key.
  const elsewhere = refloatIn(folder.path, at("state-elsewhere"));
  const glass = ["--vault", at("copy"), "--password-file", at("copy-password")];
  const opened = await elsewhere.succeed([...glass, "vault", "escrow", "open", "from-copy", "--key-file", "identity"]);
  expect(opened.stdout).toContain("put each where it is read from");
  expect(await readFile(`${at("from-copy")}/files${at("secrets/db-password")}`, "utf8")).toBe("hunter2-of-the-shop\n");
});

it("tells the log who sealed and opened and who tried to, and no log, state or vault a secret or its name", async () => {
  const told = (await refloat.succeed(["log", "--json"])).lines.at(-1);
  const entries = JSON.stringify(told);
  for (const said of ["escrow-seal", "escrow-open", "escrow.wrong-key"]) expect(entries).toContain(said);
  await refloat.close();
  await refloatIn(folder.path).succeed(
    ["vault", "escrow", "seal", at("tls"), "--recipient", await publicKey(), "--verbose", "--log", at("log"), "--json"],
    { ESCROW_TEST_TOKEN: token },
  );
  const hidden = [token, "hunter2-of-the-shop", "signing-key-of-the-shop", recoveryKey, "shop.key", "db-password"];
  const { stdout } = await execa(
    "grep",
    ["-rlaF", ...hidden.flatMap((text) => ["-e", text]), "state", "state-elsewhere", "log", "vault", "copy"],
    {
      cwd: folder.path,
      reject: false,
    },
  );
  expect(stdout).toBe("");
});

it("is there whole or not at all, however early the one who stores it is killed", async () => {
  const script = fileURLToPath(new URL("support/sealing-process.ts", import.meta.url));
  const bundles = async (): Promise<number> => {
    const repository = await openRepository(at("vault"), password, { clock: systemClock });
    try {
      const all = await createEscrowBundles(repository).list();
      for (const { id } of all) await createEscrowBundles(repository).read(id);
      return all.length;
    } finally {
      await repository.close();
    }
  };
  const before = await bundles();
  for (const killAt of ["1", "2", "3"]) {
    const { signal } = await execa(process.execPath, [script, at("vault"), password], {
      reject: false,
      env: { KILL_AT: killAt },
    });
    expect(signal).toBe("SIGKILL");
    expect(await bundles()).toBe(before);
  }
  await execa(process.execPath, [script, at("vault"), password]);
  expect(await bundles()).toBe(before + 1);
  await restic(at("vault"), "unlock");
  expect(await restic(at("vault"), "check", "--read-data")).toContain("no errors were found");
});
