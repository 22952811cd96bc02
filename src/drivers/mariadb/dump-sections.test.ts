import { expect, test } from "vitest";
import { parseProgramVersion } from "./client-programs.ts";
import { parseMariadbUrl } from "./connection-target.ts";
import { openSections } from "./dump-sections.ts";
import { parseAnswers } from "./sql-client.ts";

const head = "-- MariaDB dump\n\n--\n";
const tail = "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed\n";
const table = (name: string, rows: string): string =>
  `-- Table structure for table \`${name}\`\n--\n\nCREATE TABLE \`${name}\` (\n  \`a\` int\n)\n(PARTITION \`p\` VALUES LESS THAN (1));\n-- Dumping data for table \`${name}\`\n--\n${rows}\n--\n`;

const cut = async (dump: string, size: number) => {
  const bytes = Buffer.from(dump);
  const sections = openSections(
    (async function* chunks() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    })(),
  );
  const found: string[] = [];
  let all = "";
  for (let section = await sections.next(); section !== null; section = await sections.next()) {
    for await (const chunk of section.bytes) all += Buffer.from(chunk).toString();
    found.push(`${section.kind} ${section.name} ${section.rows()}`);
  }
  return { found, all, isComplete: sections.isComplete() };
};

const rows = String.raw`INSERT INTO ${"`x`"} VALUES
(1,'),(\n-- Table structure for table ${"`no`"}'),
(2,'it\'s),(');
INSERT INTO ${"`x`"} (${"`a`"}) VALUES (3,'');`;

test.each([1, 7, 100_000])("a dump is cut into its tables, byte by byte the same, in chunks of %i", async (size) => {
  const sequence = "-- Sequence structure for `s`\n--\nCREATE SEQUENCE `s`;\n--\n";
  const dump = `${head}${sequence}${table("x", rows)}${table("we``ird", "")}${tail}`;
  const { found, all, isComplete } = await cut(dump, size);
  expect(found).toEqual(["head  0", "sequence s 0", "table x 3", "table we`ird 0", "tail  0"]);
  expect(all).toBe(dump);
  expect(isComplete).toBe(true);
});

test("a dump that is cut short is not complete, and one whose rows cannot be counted is refused", async () => {
  expect((await cut(`${head}${table("x", rows)}`, 100)).isComplete).toBe(false);
  expect((await cut(`${head}${table("x", rows)}${tail.slice(0, -8)}`, 100)).isComplete).toBe(false);
  const old = `${head}${table("x", "INSERT INTO `x` VALUES (1,'a'),(2,'b');")}${tail}`;
  await expect(cut(old, 100)).rejects.toMatchObject({ code: "program.version" });
});

test("urls say which server is meant, and passwords are no part of them that is shown", () => {
  expect(parseMariadbUrl("mariadb://a%40b@[::1]:3307/my%20shop?sslmode=require")).toMatchObject({
    host: "::1",
    port: 3307,
    user: "a@b",
    database: "my shop",
    tls: "require",
  });
  expect(parseMariadbUrl("mysql://u@localhost/shop?socket=/run/s")).toMatchObject({ host: null, socket: "/run/s" });
  for (const url of ["mariadb://u@h:0/d", "mariadb://u@h/", "postgres://u@h/d", "mariadb://u@h/d?x=1"])
    expect(() => parseMariadbUrl(url)).toThrow(expect.objectContaining({ code: "config.invalid" }));
});

test("versions and answers are read as the programs write them", () => {
  expect(parseProgramVersion("mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu")).toBe(
    "10.11.19",
  );
  expect(parseProgramVersion("mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux")).toBe("11.4.2");
  expect(parseProgramVersion("mysqldump  Ver 8.0.36 for Linux")).toBeNull();
  const xml = `<?xml version="1.0"?>
<resultset statement="select &lt;&quot;" xmlns:xsi="x">
  <row>
	<field name="a" xsi:nil="true" />
	<field name="b">&lt;row&gt; &amp;amp;
second</field>
  </row>
</resultset><?xml version="1.0"?>
<resultset statement="select 2" xmlns:xsi="x"></resultset>`;
  expect(parseAnswers(xml)).toEqual([[{ a: null, b: "<row> &amp;\nsecond" }], []]);
});
