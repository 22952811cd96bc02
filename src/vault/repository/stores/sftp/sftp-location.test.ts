import { describe, expect, it } from "vitest";
import { parseSftpLocation } from "./sftp-location.ts";

describe("locations of sftp", () => {
  it.each([
    ["sftp:anna@host:/srv/vault", { host: "host", user: "anna", port: undefined, path: "/srv/vault" }],
    ["sftp:host:vault/", { host: "host", user: undefined, port: undefined, path: "vault" }],
    ["sftp://anna@host:2222//srv/vault", { host: "host", user: "anna", port: 2222, path: "/srv/vault" }],
    ["sftp://host/vault", { host: "host", user: undefined, port: undefined, path: "vault" }],
    ["sftp://[::1]:2222//srv/a%20b", { host: "::1", user: undefined, port: 2222, path: "/srv/a b" }],
  ])("reads %s as restic does", (text, read) => {
    expect(parseSftpLocation(text)).toEqual({ text, ...read });
  });

  it.each([
    ["sftp:host", "it names no host and path"],
    ["sftp://host", "it names no host and path"],
    ["sftp:host:~/vault", "a path with ~ is not expanded"],
    ["sftp:host:/srv/../etc", "its path has .. in it"],
    ["sftp:-oProxyCommand=touch:/srv", "is no host"],
    ["sftp:a'b:/srv", "is no host"],
  ])("refuses %s", (text, why) => {
    expect(() => parseSftpLocation(text)).toThrow(
      expect.objectContaining({ code: "vault.unsupported", message: expect.stringContaining(why) }),
    );
  });

  it("does not repeat a password that somebody wrote there", () => {
    expect(() => parseSftpLocation("sftp://anna:secret@host//srv")).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("secret") }),
    );
  });
});
