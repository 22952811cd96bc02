import { expect, test } from "vitest";
import { isGeneralVariable, meaningOf } from "./variable-meaning.ts";

const database = {
  kind: "database",
  form: "url",
  host: "127.0.0.1",
  port: 5432,
  database: "shop",
  user: null,
  hasPassword: false,
};

test.each([
  ["8081", { kind: "port" }],
  ["8082", { kind: "unknown" }],
  ["postgres://127.0.0.1/shop", database],
  [
    "postgresql://shop:hunter2@db.local:5433/shop%20x",
    {
      ...database,
      host: "db.local",
      port: 5433,
      database: "shop x",
      user: "shop",
      hasPassword: true,
    },
  ],
  ["postgres:///shop?host=/tmp/pg&port=5999&user=u", { ...database, host: "/tmp/pg", port: 5999, user: "u" }],
  [
    "jdbc:postgresql://127.0.0.1/shop?user=u&password=hunter2",
    {
      ...database,
      form: "jdbc",
      user: "u",
      hasPassword: true,
    },
  ],
  ["postgres://127.0.0.1", { kind: "unknown" }],
  ["postgres://[", { kind: "unknown" }],
  ["/srv/shop/uploads/", { kind: "folder", path: "/srv/shop/uploads" }],
  ["/usr/share/x", { kind: "unknown" }],
  ["/a:/b", { kind: "unknown" }],
  ["production", { kind: "unknown" }],
  ["", { kind: "unknown" }],
])("%s", (value, meaning) => {
  expect(meaningOf(value, [8081])).toEqual(meaning);
});

test("no password goes into a meaning", () => {
  expect(JSON.stringify(meaningOf("postgres://shop:hunter2@db/shop", []))).not.toContain("hunter2");
});

test("what logins and supervisors set is told apart", () => {
  expect(["PATH", "LC_ALL", "npm_config_x", "INVOCATION_ID"].every(isGeneralVariable)).toBe(true);
  expect(["PORT", "DATABASE_URL", "NODE_ENV", "PATHS"].some(isGeneralVariable)).toBe(false);
});
