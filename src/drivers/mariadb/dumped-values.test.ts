import { expect, test } from "vitest";
import type { Line } from "./dump-sections.ts";
import { readShape } from "./dumped-table.ts";
import { formatRows, readRowLine } from "./dumped-values.ts";

test("values of a row are read as they were written", () => {
  expect(readRowLine(String.raw`(1,-0.5,NULL,'',0x00FF,'it\'s \\ ''x'' \n','),(',_binary 'a'),`)).toEqual([
    { kind: "text", text: "1" },
    { kind: "text", text: "-0.5" },
    { kind: "null", text: "" },
    { kind: "text", text: "" },
    { kind: "hex", text: "00FF" },
    { kind: "text", text: "it's \\ 'x' \n" },
    { kind: "text", text: "),(" },
    { kind: "text", text: "a" },
  ]);
});

test("null and an empty text are two things in both forms", async () => {
  async function* lines(): AsyncGenerator<Line> {
    yield { bytes: Buffer.from(" (`a`, `b``c`) VALUES\n"), isBegin: true, isEnd: true };
    yield { bytes: Buffer.from("(NULL,'',"), isBegin: true, isEnd: false };
    yield { bytes: Buffer.from(String.raw`'x\ty\\',0x41),` + "\n"), isBegin: false, isEnd: true };
  }
  const text = async (format: "csv" | "copy") => {
    const parts: Uint8Array[] = [];
    for await (const part of formatRows(lines(), ["no"], format)) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  expect(await text("csv")).toBe('a,b`c\n,"",x\ty\\,0x41\n');
  expect(await text("copy")).toBe("\\N\t\tx\\ty\\\\\tA\n");
});

test("columns of a definition are told from its keys, with their types alone", () => {
  const { columns, charset } = readShape(`CREATE TABLE \`g\` (
  \`id\` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  \`e\` enum('x, y','it''s (a)') CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x',
  \`v\` int(11) GENERATED ALWAYS AS (\`a\` * 3) VIRTUAL,
  \`o\`\`dd\` double precision DEFAULT NULL COMMENT 'not a type',
  PRIMARY KEY (\`id\`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci;`);
  expect(columns).toEqual([
    { name: "id", type: "bigint(20) unsigned", isGenerated: false },
    { name: "e", type: "enum('x, y','it''s (a)') CHARACTER SET latin1 COLLATE latin1_bin", isGenerated: false },
    { name: "v", type: "int(11)", isGenerated: true },
    { name: "o`dd", type: "double precision", isGenerated: false },
  ]);
  expect(charset).toBe("DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci");
});
