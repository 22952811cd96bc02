import { rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeCertificate } from "../testing/certificate.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { compareCertificates, namedCertificates } from "./certificates.ts";
import { askedLocale, compareLocale } from "./locales.ts";

let folder: TestFolder;
let path: string;

beforeAll(async () => {
  folder = await createTestFolder("refloat-certificates");
  path = await writeCertificate(folder.path);
});
afterAll(() => folder.remove());

it("finds certificates in values, alone and as a parameter, and nothing else of them", async () => {
  await writeFile(`${folder.path}/torn.pem`, "-----BEGIN CERTIFICATE-----\nAAAA");
  const found = await namedCertificates([
    path,
    `postgres://shop:hunter2@db/shop?sslrootcert=${path}&sslmode=verify-full`,
    `${folder.path}/torn.pem`,
    "/no/such.pem",
    `${folder.path}/tls.key`,
  ]);
  expect(found).toEqual([{ path, validTo: expect.stringMatching(/^20\d\d-\d\d-\d\dT.*Z$/) as string }]);
});

it("warns before one ends, and says when it has ended, is gone or is none any more", async () => {
  const [captured] = await namedCertificates([path]);
  if (captured === undefined) throw new Error("there is no certificate");
  const end = Date.parse(captured.validTo);
  const at = (days: number) => compareCertificates([captured], new Date(end + days * 86_400_000));
  const day = captured.validTo.slice(0, 10);
  const before = { subject: `certificate ${path}`, captured: `valid to ${day}` };
  expect(await at(-40)).toEqual([]);
  expect(await at(-29)).toEqual([{ ...before, target: `ends ${day}`, severity: "differs" }]);
  expect(await at(1)).toEqual([{ ...before, target: `ended ${day}`, severity: "differs", stops: true }]);
  await writeFile(path, "no certificate");
  expect(await at(-40)).toEqual([{ ...before, target: "cannot be read", severity: "differs" }]);
  await rm(path);
  expect(await at(-40)).toEqual([{ ...before, target: null, severity: "missing", stops: true }]);
});

it("knows the locale that is asked for by the order of the C library, and misses one that is not installed", async () => {
  const asked = (variables: Record<string, string>) => askedLocale(new Map(Object.entries(variables)));
  expect(asked({})).toBeNull();
  expect(asked({ LANG: "de_DE.UTF-8", LC_ALL: "" })).toBe("de_DE.UTF-8");
  expect(asked({ LANG: "de_DE.UTF-8", LC_ALL: "C.UTF-8" })).toBe("C.UTF-8");
  const { signal } = new AbortController();
  expect(await compareLocale("C.UTF-8", signal)).toEqual([]);
  expect(await compareLocale(undefined, signal)).toEqual([]);
  expect(await compareLocale("xx_XX.UTF-8", signal)).toEqual([
    { subject: "locale", captured: "xx_XX.UTF-8", target: null, severity: "missing" },
  ]);
});
