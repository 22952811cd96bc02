import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goModeOf, nodeTypes, toGoMode, toPermissions } from "./go-file-mode.ts";
import { formatGoTime, parseGoTime } from "./go-time.ts";
import { TreeCursor, decodeTree } from "./tree-decoder.ts";
import { type TreeNode, encodeNode, encodeTree, isSafeName } from "./tree-node.ts";

const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const instant = fc.bigInt({ min: -62_167_219_200_000_000_000n, max: 253_402_300_799_999_999_999n });
const unsigned64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const unsigned32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const name = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes))
  .filter(isSafeName);

const anyNode: fc.Arbitrary<TreeNode> = fc
  .record({
    name,
    type: fc.constantFrom(...nodeTypes),
    permissions: fc.integer({ min: 0, max: 0o7777 }),
    modifiedNs: instant,
    accessedNs: instant,
    changedNs: instant,
    uid: unsigned32,
    gid: unsigned32,
    user: fc.string({ unit: "grapheme", maxLength: 8 }),
    group: fc.string({ unit: "grapheme", maxLength: 8 }),
    inode: unsigned64,
    deviceId: unsigned64,
    sizeBytes: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    links: fc.integer({ min: 0, max: 70_000 }),
    target: fc.uint8Array({ minLength: 1, maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    device: unsigned64,
    content: fc.array(id, { maxLength: 5 }),
    subtree: id,
  })
  .map(({ permissions, target, subtree, content, links, ...rest }) => ({
    ...rest,
    goMode: goModeOf(rest.type, permissions),
    links: rest.type === "dir" ? 0 : links,
    content: rest.type === "file" ? content : null,
    unsupported: [],
    ...(rest.type === "symlink" ? { linkTarget: target } : {}),
    ...(rest.type === "dir" ? { subtree } : {}),
  }));

describe("trees", () => {
  it("are read as they were written, whatever is in them", () => {
    fc.assert(
      fc.property(fc.array(anyNode, { maxLength: 8 }), (nodes) => {
        const blob = encodeTree(nodes.map(encodeNode));
        expect([...decodeTree(blob, "0".repeat(64))]).toEqual(nodes);
        expect(JSON.parse(blob.toString("utf8"))).toBeTypeOf("object");
      }),
      { numRuns: 500 },
    );
  });

  it("of many entries are read in larger pieces as they are node by node", () => {
    const oneByOne = (blob: Buffer): readonly TreeNode[] => {
      const cursor = new TreeCursor(blob, "0".repeat(64));
      const nodes: TreeNode[] = [];
      for (let node = cursor.next(); node !== undefined; node = cursor.next()) nodes.push(node);
      return nodes;
    };
    const small = fc.bigInt({ min: 0n, max: 2n ** 40n });
    const usual = fc
      .tuple(anyNode, small, fc.constantFrom("a", "é", 'quo"te', '},{"name":"', "\n"))
      .map(([node, inode, text]): TreeNode => ({ ...node, inode, deviceId: 66n, device: 0n, name: Buffer.from(text) }));
    const attributes = ',"extended_attributes":[{"name":"user.a","value":"eA=="},{"name":"user.b","value":"eA=="}]}';
    const text = fc.oneof(
      { weight: 50, arbitrary: usual.map(encodeNode) },
      { weight: 1, arbitrary: anyNode.map(encodeNode) },
      { weight: 1, arbitrary: usual.map((node) => encodeNode(node).slice(0, -1) + attributes) },
    );
    fc.assert(
      fc.property(fc.array(text, { minLength: 60, maxLength: 300 }), (nodes) => {
        const blob = encodeTree(nodes);
        expect([...decodeTree(blob, "0".repeat(64))]).toEqual(oneByOne(blob));
        // What is malformed is found where it stands, after all that comes before it.
        const broken = Buffer.from(
          blob.toString("latin1").replace(/"type":"\w+"(?!.*"type")/s, '"type":"odd"'),
          "latin1",
        );
        const read: TreeNode[] = [];
        expect(() => {
          for (const node of decodeTree(broken, "0".repeat(64))) read.push(node);
        }).toThrow(expect.objectContaining({ code: "vault.damaged" }));
        expect(read).toHaveLength(nodes.length - 1);
      }),
      { numRuns: 60 },
    );
  });

  it("have the members in the order of restic, and leave out what is empty", () => {
    const node: TreeNode = {
      name: Buffer.from("a<b>"),
      type: "file",
      goMode: 0o644,
      modifiedNs: 1_795_361_503_971_457_773n,
      accessedNs: 1_795_361_503_900_000_000n,
      changedNs: 0n,
      uid: 0,
      gid: 1000,
      user: "root",
      group: "",
      inode: 12n,
      deviceId: 2049n,
      sizeBytes: 0,
      links: 1,
      device: 0n,
      content: [],
      unsupported: [],
    };
    expect(encodeNode(node)).toBe(
      '{"name":"a\\u003cb\\u003e","type":"file","mode":420,"mtime":"2026-11-22T15:31:43.971457773Z",' +
        '"atime":"2026-11-22T15:31:43.9Z","ctime":"1970-01-01T00:00:00Z","uid":0,"gid":1000,"user":"root",' +
        '"inode":12,"device_id":2049,"links":1,"content":[]}',
    );
  });

  it("refuse names that would lead elsewhere", () => {
    for (const hostile of ["..", ".", "a/b", "/etc", "", "nul\\u0000"]) {
      const blob = Buffer.from(
        `{"nodes":[{"name":"${hostile.replace("\\u", "\\\\u")}","type":"file","content":[]}]}\n`,
      );
      expect(() => [...decodeTree(blob, "0".repeat(64))]).toThrow(expect.objectContaining({ code: "path.hostile" }));
    }
  });

  it("call what is no tree damage", () => {
    for (const text of [
      "",
      "{}",
      '{"nodes":[',
      '{"nodes":[{"name":"x"',
      '{"nodes":[{"name":"x","type":"odd"}]}',
      '{"nodes":[{"name":"x","type":"dir"}]}',
      '{"nodes":[{"name":"x","type":"file","content":["short"]}]}',
      '{"nodes":[{"name":"x","type":"file","mtime":"yesterday"}]}',
      '{"nodes":[{"name":"x","type":"file","uid":-1}]}',
    ]) {
      expect(() => [...decodeTree(Buffer.from(text), "0".repeat(64))]).toThrow(
        expect.objectContaining({ code: "vault.damaged" }),
      );
    }
    expect([...decodeTree(Buffer.from('{"nodes":null}'), "0".repeat(64))]).toEqual([]);
  });
});

describe("instants", () => {
  it("keep their nanoseconds", () => {
    fc.assert(
      fc.property(instant, (ns) => {
        expect(parseGoTime(formatGoTime(ns))).toBe(ns);
      }),
    );
  });

  it("are those of a Date, also of days that no calendar has", () => {
    const two = (number: number): string => String(number).padStart(2, "0");
    const upTo99 = fc.integer({ min: 0, max: 99 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9999 }), upTo99, upTo99, upTo99, (year, month, day, hour) => {
        const date = new Date(0);
        date.setUTCFullYear(year, month - 1, day);
        const text = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${two(hour)}:04:05Z`;
        expect(parseGoTime(text)).toBe(BigInt(date.getTime() / 1000 + hour * 3600 + 245) * 1_000_000_000n);
      }),
      { numRuns: 1000 },
    );
  });

  it("are read in any time zone", () => {
    expect(parseGoTime("2026-11-22T17:01:43.5+01:30")).toBe(parseGoTime("2026-11-22T15:31:43.5Z"));
    expect(parseGoTime("22 Nov 2026")).toBeUndefined();
  });

  it("outside of what Go can write become the nearest that it can", () => {
    expect(formatGoTime(10n ** 20n * 10n)).toBe("9999-12-31T23:59:59.999999999Z");
    expect(formatGoTime(-(10n ** 21n))).toBe("0000-01-01T00:00:00Z");
  });
});

describe("modes", () => {
  it("pass through Go's bits unharmed", () => {
    fc.assert(
      fc.property(fc.constantFrom(...nodeTypes), fc.integer({ min: 0, max: 0o7777 }), (type, permissions) => {
        expect(toPermissions(goModeOf(type, permissions))).toBe(permissions);
      }),
    );
    expect(toGoMode(0o041777)).toBe(2 ** 31 + 2 ** 20 + 0o777);
    expect(toGoMode(0o104755)).toBe(2 ** 23 + 0o755);
    expect(toGoMode(0o020620)).toBe(2 ** 26 + 2 ** 21 + 0o620);
  });
});
