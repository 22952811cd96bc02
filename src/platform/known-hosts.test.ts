import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KnownHosts } from "./known-hosts.ts";

describe("known hosts", () => {
  let folder: string;
  let ours: string;
  let theirs: string;

  const blob = (publicKey: string): Buffer => Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  const read = async (text: string, host = "vault.example", port = 22): Promise<KnownHosts> => {
    const file = join(folder, "known_hosts");
    await writeFile(file, text);
    return KnownHosts.read([join(folder, "missing"), file], host, port);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "known-hosts-"));
    const make = async (name: string): Promise<string> => {
      const { stdout } = await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]).then(
        async () => execa("ssh-keygen", ["-y", "-f", join(folder, name)]),
      );
      return stdout.split(" ").slice(0, 2).join(" ");
    };
    ours = await make("ours");
    theirs = await make("theirs");
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each(["vault.example", "other,vault.example", "*.example", "vault.exampl?", "VAULT.example", "*,!x.example"])(
    "finds the host under %s",
    async (names) => {
      const known = await read(`# a comment\n\n${names} ${ours} and words\n`);
      expect(known.types).toEqual(["ssh-ed25519"]);
      expect(known.judge(blob(ours))).toBe("known");
      expect(known.judge(blob(theirs))).toBe("changed");
    },
  );

  it.each(["vault", "*,!vault.example", "[vault.example]:2222", "xvault.example", "vault-example"])(
    "does not find it under %s",
    async (names) => {
      expect((await read(`${names} ${ours}\n`)).judge(blob(ours))).toBe("unknown");
    },
  );

  it("knows a host on another port by its port", async () => {
    expect((await read(`[vault.example]:2222 ${ours}\n`, "vault.example", 2222)).judge(blob(ours))).toBe("known");
    expect((await read(`vault.example ${ours}\n`, "vault.example", 2222)).judge(blob(ours))).toBe("unknown");
  });

  it("reads names that ssh-keygen hashed", async () => {
    await read(`vault.example ${ours}\n[vault.example]:2222 ${theirs}\n`);
    await execa("ssh-keygen", ["-q", "-H", "-f", join(folder, "known_hosts")]);
    const files = [join(folder, "known_hosts")];
    expect(KnownHosts.read(files, "vault.example", 22).judge(blob(ours))).toBe("known");
    expect(KnownHosts.read(files, "vault.example", 2222).judge(blob(theirs))).toBe("known");
    expect(KnownHosts.read(files, "other.example", 22).judge(blob(ours))).toBe("unknown");
  });

  it("takes a revoked key for no key, even beside one that is noted", async () => {
    const known = await read(`vault.example ${ours}\n@revoked * ${ours}\n@cert-authority * ${theirs}\n`);
    expect(known.judge(blob(ours))).toBe("revoked");
    expect(known.judge(blob(theirs))).toBe("changed");
  });
});
