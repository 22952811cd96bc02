import { describe, expect, test } from "vitest";
import { readEntry, writeEntry } from "./databases-file.ts";

const path = "/etc/pgbouncer/databases.ini";
const to = { host: "10.0.0.2", port: 6000 };

describe("an entry of [databases]", () => {
  test("is rewritten in its place, and nothing else is", () => {
    const text = [
      "; shop = host=old",
      "[pgbouncer]",
      "shop = host=not.this.one",
      "[databases]",
      "shopping = host=10.0.0.9 port=1",
      "  shop  =  dbname=shop host = 'db-1.example.com' password='a host=b port=3 ''c' port=5432 pool_size=5",
      "# end",
      "[users]",
      "shop = pool_mode=session",
    ].join("\n");
    expect(readEntry(text, path, "shop")).toEqual({ host: "db-1.example.com", port: 5432 });
    const after = writeEntry(text, path, "shop", to);
    expect(after).toBe(text.replace("host = 'db-1.example.com'", "host = 10.0.0.2").replace("port=5432", "port=6000"));
    expect(readEntry(after, path, "shop")).toEqual(to);
  });

  test("gets a port where it has none, and stands in an included file without a header too", () => {
    expect(writeEntry('"shop" = host=/run/postgresql', path, "shop", to)).toBe('"shop" = host=10.0.0.2 port=6000');
    expect(readEntry("shop=host=/run/postgresql\r\n", path, "shop")).toEqual({ host: "/run/postgresql", port: 5432 });
  });

  test.each([
    ["no entry", "[databases]\n* = host=10.0.0.1", '[databases] has no entry "shop"'],
    ["two entries", "shop = host=a\nshop = host=b", '[databases] has 2 entries "shop"'],
    ["no host", "shop = dbname=x password='host=y'", "the entry shop has no host="],
    ["several hosts", "shop = host=a,b", "the entry shop has several hosts, and only one can be switched"],
    ["two ports", "shop = host=a port=1 port=2", "the entry shop has a host or port twice"],
    ["a port that is none", "shop = host=a port=x", 'the entry shop has the port "x"'],
  ])("of another form is refused: %s", (_, text, why) => {
    expect(() => readEntry(text, path, "shop")).toThrow(`${path}: ${why}`);
  });
});
