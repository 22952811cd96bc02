import { expect, test } from "vitest";
import { splitScript } from "./split-script.ts";

const pieces = async function* (script: string, pieceBytes: number) {
  const bytes = Buffer.from(script);
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
};

type Split = { readonly sql: string; readonly rows: string | null };

const split = async (script: string, pieceBytes = 65_536): Promise<readonly Split[]> => {
  const steps: Split[] = [];
  for await (const { sql, rows } of splitScript(pieces(script, pieceBytes))) {
    let text = rows === null ? null : "";
    for await (const piece of rows ?? []) text += Buffer.from(piece).toString("latin1");
    steps.push({ sql: sql.trim(), rows: text });
  }
  return steps;
};

const statements = [
  "begin;",
  "-- it's; a comment\ninsert into a values ('it''s; here', 'back\\');",
  String.raw`insert into "odd;""name" values (E'it\'s; \\', e'', 'e;', $1$2);`,
  "do $refloat_1a$\nbegin\n  raise exception 'no; $other$'; end $refloat_1a$;",
  "select $$;$$, a$b$c from t$x where (1;2) = 3;",
  "-- ends here\rinsert into b values ('; of text');",
  "/* a /* nested; */ one; */ create rule r as on insert to t do also (delete from a; delete from b);",
  "insert into t values ('žluťoučký; kůň');",
  "commit;",
];

test.each([1, 2, 3, 7, 64, 65_536])("statements are told apart in pieces of %i bytes", async (pieceBytes) => {
  expect(await split(`${statements.join("\n")}\n-- the end`, pieceBytes)).toEqual(
    statements.map((sql) => ({ sql, rows: null })),
  );
});

test.each([1, 2, 3, 4, 5, 64, 65_536])("rows of a COPY come apart in pieces of %i bytes", async (pieceBytes) => {
  const rows = `1\t'; \\\\.\n\\N\t\\.x\n\n`;
  const script = `begin;\n-- t: its rows\ncopy public."from stdin;" (a, b) from stdin;\n${rows}\\.\ncopy none from stdin;\n\\.\ncommit;\n`;
  expect(await split(script, pieceBytes)).toEqual([
    { sql: "begin;", rows: null },
    { sql: `-- t: its rows\ncopy public."from stdin;" (a, b) from stdin;`, rows },
    { sql: "copy none from stdin;", rows: "" },
    { sql: "commit;", rows: null },
  ]);
});

test("a script that was cut off is not taken for a whole one", async () => {
  for (const cut of ["begin;\nselect 'a;", "begin;\nselect 1", "copy t from stdin;\n1\n", "select $a$;$b$;"])
    await expect(split(cut)).rejects.toThrow("in the middle of a statement");
});

test("a large script takes no more time than its size", async () => {
  const values = Array.from({ length: 400_000 }, (_, n) => `(${n}, 'value ${n}')`).join(",\n");
  const begun = performance.now();
  expect(await split(`insert into t values ${values};\n${"select 1;\n".repeat(100_000)}`, 4096)).toHaveLength(100_001);
  expect(performance.now() - begun).toBeLessThan(20_000);
});
