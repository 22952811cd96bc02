import { expect, it } from "vitest";
import { resticSettings } from "./restic-settings.ts";

it("says nothing where nothing is declared", () => {
  expect(resticSettings({}, undefined)).toEqual({ environment: {}, options: [] });
});

it("passes on how a store is reached", () => {
  const s3 = { profile: "backup", region: "eu-1", ca: "/etc/ca.pem", pathStyle: true };
  expect(resticSettings({ s3, sshConfig: "/etc/refloat/ssh config" }, 2_000_000)).toEqual({
    environment: { AWS_PROFILE: "backup", AWS_DEFAULT_REGION: "eu-1" },
    options: [
      "--cacert",
      "/etc/ca.pem",
      "--option",
      "s3.bucket-lookup=path",
      "--option",
      'sftp.args=-F "/etc/refloat/ssh config"',
      "--limit-download",
      "1953",
    ],
  });
  expect(resticSettings({ s3: { pathStyle: false } }, 1).options).toEqual([
    "--option",
    "s3.bucket-lookup=dns",
    "--limit-download",
    "1",
  ]);
});
