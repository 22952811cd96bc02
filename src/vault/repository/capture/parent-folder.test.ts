import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TreeNode, compareNames, encodeNode, encodeNodeHead, encodeTree } from "../format/tree-node.ts";
import { ParentFolder } from "./parent-folder.ts";

const blobId = fc.constantFrom("a".repeat(64), "b".repeat(64), "0123456789abcdef".repeat(4));
const someName = fc.oneof(
  fc
    .constantFrom("a", "b", "c", "é", 'quo"te', "back\\slash", "new\nline", "<&>", "}", '},{"name":"x"')
    .map((text) => Buffer.from(text)),
  fc
    .uint8Array({ minLength: 1, maxLength: 3 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0x2f || byte === 0 ? 1 : byte)))),
);

const fileNamed = (name: string): TreeNode => ({
  name: Buffer.from(name),
  type: "file",
  goMode: 0o644,
  modifiedNs: 1_700_000_000_123_456_789n,
  accessedNs: 1_700_000_000_123_456_789n,
  changedNs: 1_700_000_000_000_000_001n,
  uid: 0,
  gid: 0,
  user: "root",
  group: "root",
  inode: 2n ** 60n + 1n,
  deviceId: 66n,
  sizeBytes: 5,
  links: 1,
  device: 0n,
  content: ["a".repeat(64)],
  unsupported: [],
});

const apart = { ...fileNamed("a"), sizeBytes: 0, links: 0, content: null };

const node = fc.oneof(
  fc
    .record({ name: someName, sizeBytes: fc.constantFrom(0, 1, 2), content: fc.array(blobId, { maxLength: 3 }) })
    .map((file): TreeNode => ({ ...fileNamed("a"), ...file })),
  someName.map((name): TreeNode => ({ ...apart, name, type: "dir", subtree: "c".repeat(64) })),
  someName.map((name): TreeNode => ({ ...apart, name, type: "symlink", linkTarget: Buffer.from("target") })),
);

const isOrdinary = ({ name }: TreeNode): boolean => ![".", ".."].includes(name.toString());
const folder = fc
  .uniqueArray(node, { selector: ({ name }) => Buffer.from(name).toString("hex"), maxLength: 12 })
  .map((nodes) => nodes.filter(isOrdinary).toSorted((a, b) => compareNames(a.name, b.name)));

/** As a capture asks: by name, in order, first for what is the same. */
const ask = (parent: ParentFolder, now: readonly TreeNode[]): readonly string[] =>
  now.map((one) => {
    const same = one.type === "file" ? parent.takeSame(one.name, encodeNodeHead(one)) : undefined;
    if (same !== undefined) return `same ${same.text} ${same.content.join()}`;
    const before = parent.find(one.name);
    return before === undefined ? "new" : `before ${encodeNode(before)}`;
  });

describe("a folder of the parent snapshot", () => {
  it("gives of each name what it had, without reading the nodes that are the same", () => {
    fc.assert(
      fc.property(folder, folder, (then, now) => {
        const parent = new ParentFolder(encodeTree(then.map(encodeNode)), "f".repeat(64));
        const answers = ask(parent, now);
        for (const [index, one] of now.entries()) {
          const before = then.find(({ name }) => compareNames(name, one.name) === 0);
          const allowed = before === undefined ? ["new"] : [`before ${encodeNode(before)}`];
          if (before?.type === "file" && one.type === "file" && encodeNodeHead(before) === encodeNodeHead(one))
            allowed.push(`same ${encodeNode(before)} ${before.content?.join() ?? ""}`);
          expect(allowed).toContain(answers[index]);
        }
        parent.rewind();
        expect(ask(parent, now)).toEqual(answers);
      }),
      { numRuns: 1000 },
    );
  });

  it("reads no node of a folder in which nothing has changed", () => {
    const files = ["a", "b", "c"].map(fileNamed);
    const answers = ask(new ParentFolder(encodeTree(files.map(encodeNode)), "f".repeat(64)), files);
    expect(answers.map((answer) => answer.slice(0, 5))).toEqual(["same ", "same ", "same "]);
  });

  it("takes a node for another where a newer restic has written more of it", () => {
    const file = fileNamed("a");
    const text = encodeNode(file).replace(
      ',"content"',
      ',"extended_attributes":[{"name":"user.a","value":"eA=="}],"content"',
    );
    const parent = new ParentFolder(Buffer.from(`{"nodes":[${text}]}\n`), "f".repeat(64));
    expect(parent.takeSame(file.name, encodeNodeHead(file))).toBeUndefined();
    expect(parent.find(file.name)).toMatchObject({ unsupported: ["extended_attributes"] });
  });
});
