import { expect, test } from "vitest";
import { maskWords } from "./mask-words.ts";

test.each([
  [
    ["node", "server.js", "--port=80"],
    ["node", "server.js", "--port=80"],
  ],
  [
    ["x", "--db-password=hunter2"],
    ["x", "--db-password=***"],
  ],
  [
    ["x", "--api-key", "hunter2", "-v"],
    ["x", "--api-key", "***", "-v"],
  ],
  [
    ["x", "--token", "--next"],
    ["x", "--token", "--next"],
  ],
  [
    ["env", "SECRET_TOKEN=a b", "x"],
    ["env", "SECRET_TOKEN=***", "x"],
  ],
  [
    ["x", "postgres://shop:hunter2@db/shop"],
    ["x", "postgres://shop:***@db/shop"],
  ],
  [
    ["tokenizer", "input"],
    ["tokenizer", "input"],
  ],
])("%j is shown as %j", (words, shown) => {
  expect(maskWords(words)).toEqual(shown);
});
