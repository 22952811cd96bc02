/** What packages need, what is missing of it and what may go, over small worlds; versions are held against dpkg's own word. */
import { execaSync } from "execa";
import { describe, expect, it } from "vitest";
import { type DebianPackage, type InstalledPackage, isHalfInstalled, isInstalled } from "./debian-package.ts";
import { compareDebianVersions } from "./debian-version.ts";
import {
  conflictsBetween,
  installationStages,
  removable,
  unmetDependencies,
  withDependencies,
} from "./dependencies.ts";

const one = (name: string, depends = "", more: Partial<InstalledPackage> = {}): InstalledPackage => ({
  name,
  version: "1.0-1",
  architecture: "amd64",
  depends,
  provides: "",
  status: "installed",
  mustReinstall: false,
  essential: false,
  ...more,
});
const names = (packages: readonly DebianPackage[]) => packages.map(({ name }) => name);

it("orders versions as dpkg does", () => {
  const versions = [
    "0",
    "1",
    "1.0",
    "1.0~rc1",
    "1.0~~",
    "1.0-1",
    "1.0-1+b2",
    "1.0+dfsg-1",
    "1:0.1",
    "1.10",
    "1.9",
    "1.0a",
    "1.00",
    "2:1~",
    "1.0-1~bpo12+1",
    "1.0.1",
    "1.0-10",
  ];
  // One shell for all pairs: a process each would take most of the test's time.
  const ask =
    'for a; do for b; do for w in lt eq gt; do dpkg --compare-versions "$a" $w "$b" && echo $w; done; done; done; true';
  const said = execaSync("sh", ["-c", ask, "sh", ...versions]).stdout.split("\n");
  const order = (a: string, b: string) => ["lt", "eq", "gt"][Math.sign(compareDebianVersions(a, b)) + 1];
  expect(versions.flatMap((a) => versions.map((b) => `${a} ${b} ${order(a, b)}`))).toEqual(
    versions.flatMap((a, at) => versions.map((b, other) => `${a} ${b} ${said[at * versions.length + other]}`)),
  );
}, 60_000);

describe("what a package needs", () => {
  it("is all that it leads to: the alternative that is installed, what provides a name, rings, and nothing essential", () => {
    const installed = [
      one("app", "liba (>= 1), mail-agent, gone | libb:any, dash"),
      one("liba", "libc6"),
      one("libc6", "liba"),
      one("exim", "", { provides: "mail-agent" }),
      one("libb"),
      one("dash", "", { essential: true }),
      one("other"),
    ];
    expect(names(withDependencies(["app:amd64"], installed))).toEqual(["app", "exim", "liba", "libb", "libc6"]);
    expect(names(withDependencies(["dash"], installed))).toEqual(["dash"]);
  });

  it("is met by version, and by what is provided only with the version that is asked for", () => {
    const wanted = [one("app", "liba (>= 2), libb (= 1.0-1), agent (>= 1), libc (<< 2)")];
    const there = [one("liba"), one("libb"), one("exim", "", { provides: "agent" }), one("libc", "", { version: "2" })];
    expect(unmetDependencies(wanted, there).map(({ needs }) => needs)).toEqual([
      "liba (>= 2)",
      "agent (>= 1)",
      "libc (<< 2)",
    ]);
    expect(unmetDependencies(wanted, [...there, one("mta", "", { provides: "agent (= 1.5)" })])).toHaveLength(2);
  });
});

describe("what may go", () => {
  it("is what nothing that stays needs, by way of what is kept too", () => {
    const [liba, libb, libc] = [one("liba", "libb"), one("libb"), one("libc")];
    const user = one("user", "liba");
    const { removed, kept } = removable([liba, libb, libc], [liba, libb, libc, user]);
    expect(names(removed)).toEqual(["libc"]);
    expect([...kept].map(([{ name }, by]) => [name, by])).toEqual([
      ["liba", "user"],
      ["libb", "liba"],
    ]);
  });

  it("is kept by nobody whom another package serves, nor by who lacked it before", () => {
    const [liba, libb] = [one("liba"), one("libb")];
    const there = [liba, libb, one("user", "liba | libd"), one("libd"), one("broken", "absent, libd")];
    expect(names(removable([liba, libb], there).removed)).toEqual(["liba", "libb"]);
  });
});

it("tells what is half installed from what waits for triggers", () => {
  const status = (word: string, mustReinstall = false) => one("a", "", { status: word, mustReinstall });
  expect(["unpacked", "half-configured", "half-installed"].map((word) => isHalfInstalled(status(word)))).toEqual([
    true,
    true,
    true,
  ]);
  expect(isInstalled(status("triggers-pending"))).toBe(true);
  expect(isInstalled(status("installed", true))).toBe(false);
  expect([isInstalled(status("config-files")), isHalfInstalled(status("config-files"))]).toEqual([false, false]);
});

describe("what may not be beside each other", () => {
  const words = (wanted: readonly DebianPackage[], there: readonly DebianPackage[]) =>
    conflictsBetween(wanted, there).map(({ by, with: other }) => `${by.name} ${other.name}`);

  it("is told by the one that comes, by the one that is there, and among those that come", () => {
    expect(words([one("exim", "", { conflicts: "postfix" })], [one("postfix")])).toEqual(["exim postfix"]);
    expect(words([one("exim")], [one("postfix", "", { conflicts: "exim" })])).toEqual(["postfix exim"]);
    expect(words([one("exim", "", { conflicts: "postfix" }), one("postfix")], [])).toEqual(["exim postfix"]);
    expect(words([], [one("exim", "", { conflicts: "postfix" }), one("postfix")])).toEqual([]);
  });

  it("depends on versions and on what is provided, and is nothing of a package's own name", () => {
    const breaks = one("new", "", { conflicts: "liba (<< 2), agent" });
    expect(words([breaks], [one("liba", "", { version: "1.9" }), one("mta", "", { provides: "agent" })])).toEqual([
      "new liba",
      "new mta",
    ]);
    expect(words([breaks], [one("liba", "", { version: "2.0" })])).toEqual([]);
    const agent = one("exim", "", { provides: "agent", conflicts: "agent" });
    expect(words([agent], [{ ...agent, architecture: "i386" }])).toEqual([]);
  });
});

describe("the order of an installation", () => {
  const stages = (wanted: readonly DebianPackage[]) => installationStages(wanted).map(names);

  it("is one stage where nothing has to be configured first, needs in a circle too", () => {
    expect(stages([one("a", "b"), one("b", "a"), one("c")])).toEqual([["a", "b", "c"]]);
    expect(stages([])).toEqual([]);
  });

  it("puts what pre-depends, and what needs that, behind all that its need needs", () => {
    const wanted = [
      one("app", "python"),
      one("python", "minimal", { preDepends: "minimal" }),
      one("minimal", "base, zlib", { preDepends: "base" }),
      one("base"),
      one("zlib", "libz"),
      one("libz"),
      one("other", "elsewhere", { preDepends: "elsewhere" }),
    ];
    expect(stages(wanted)).toEqual([["base", "zlib", "libz", "other"], ["minimal"], ["app", "python"]]);
  });

  it("comes to an end with what Debian forbids", () => {
    const wanted = [one("a", "b", { preDepends: "b" }), one("b", "a"), one("c")];
    expect(stages(wanted).flat().toSorted()).toEqual(["a", "b", "c"]);
  });
});
