import { expect, it } from "vitest";
import { readUpstream, writeUpstream } from "./upstream-file.ts";

const write = (text: string, address: string, down: boolean): string =>
  writeUpstream(text, "shop.conf", "shop", { address, down });

const server = (text: string) => readUpstream(text, "shop.conf", "shop");

it("changes address and down, and gives the text that was on the way back", () => {
  const text = "upstream shop { # live\n  server 127.0.0.1:8081  weight=2; # one\n}\n";
  const held = write(text, "127.0.0.1:8081", true);
  expect(held).toBe("upstream shop { # live\n  server 127.0.0.1:8081  weight=2 down; # one\n}\n");
  expect(write(held, "127.0.0.1:8081", false)).toBe(text);
  expect(server(write(text, "127.0.0.1:8082", false))).toEqual({
    address: "127.0.0.1:8082",
    parameters: ["weight=2"],
    down: false,
  });
});

it("leaves what follows a comment out of it where down goes", () => {
  const text = "upstream shop {\n  server 127.0.0.1:8081 # the old one\n    down;\n  keepalive 8;\n}\n";
  expect(server(text)).toMatchObject({ down: true });
  const admitted = write(text, "127.0.0.1:8082", false);
  expect(admitted).toBe("upstream shop {\n  server 127.0.0.1:8082 # the old one\n    ;\n  keepalive 8;\n}\n");
  expect(server(admitted)).toEqual({ address: "127.0.0.1:8082", parameters: [], down: false });
});
