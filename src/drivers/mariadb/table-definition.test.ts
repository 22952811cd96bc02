import { expect, it } from "vitest";
import { parseDefinition, withoutQuoted } from "./table-definition.ts";

const statement = [
  "CREATE TABLE `o``dd, (x)` (",
  "  `a, b) ENGINE=X` int(11) NOT NULL AUTO_INCREMENT COMMENT 'it''s (no), AUTO_INCREMENT \\') `',",
  "  `line\n  CONSTRAINT ``x`` FOREIGN KEY (a)` enum('x, y','it''s (a)') DEFAULT 'x',",
  "  `v` decimal(12,2) GENERATED ALWAYS AS (`p` * (2 + 3)) STORED,",
  "  PRIMARY KEY (`a, b) ENGINE=X`),",
  "  KEY `k` (`v`,`a, b) ENGINE=X`),",
  "  CONSTRAINT `fk``1` FOREIGN KEY (`v`, `a, b) ENGINE=X`) REFERENCES `other`.`par``ent` (`x`, `y`) ON DELETE SET NULL ON UPDATE CASCADE,",
  "  CONSTRAINT `own` FOREIGN KEY (`v`) REFERENCES `o``dd, (x)` (`v`),",
  "  CONSTRAINT `c` CHECK (`v` in ('a','FOREIGN KEY (b)') and (`p` > 0))",
  ") ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4 COMMENT='a; b'",
  " PARTITION BY HASH (`v`);",
].join("\n");

it("takes a definition apart whatever its names and texts hold", () => {
  const found = parseDefinition(statement);
  expect(found?.name).toBe("o`dd, (x)");
  expect(found?.parts.map((part) => part.slice(0, 12))).toEqual([
    "`a, b) ENGIN",
    "`line\n  CONS",
    "`v` decimal(",
    "PRIMARY KEY ",
    "KEY `k` (`v`",
    "CONSTRAINT `",
  ]);
  expect(found?.foreignKeys).toMatchObject([
    {
      name: "fk`1",
      columns: ["v", "a, b) ENGINE=X"],
      parentDatabase: "other",
      parent: "par`ent",
      parentColumns: ["x", "y"],
    },
    { name: "own", columns: ["v"], parentDatabase: null, parent: "o`dd, (x)", parentColumns: ["v"] },
  ]);
  expect(found?.foreignKeys[0]?.text).toMatch(/ON DELETE SET NULL ON UPDATE CASCADE$/);
  expect(found?.options).toBe(
    " ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4 COMMENT='a; b'\n PARTITION BY HASH (`v`)",
  );
  expect(withoutQuoted(found?.parts[0] ?? "")).toBe(" int(11) NOT NULL AUTO_INCREMENT COMMENT ");
});

it("takes nothing for a definition that was cut", () => {
  for (let length = 0; length < statement.indexOf("\n) ENGINE"); length += 7)
    expect(parseDefinition(statement.slice(0, length))).toBeNull();
});
