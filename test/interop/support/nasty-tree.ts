/** A tree with all that makes restores go wrong. */
import { hash } from "node:crypto";
import { chmod, chown, link, lutimes, mkdir, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { execa } from "execa";

/** Bytes that do not compress and are the same in each run. */
export const noise = (length: number, seed: string): Buffer => {
  const bytes = Buffer.allocUnsafe(Math.ceil(length / 64) * 64);
  for (let at = 0; at < bytes.length; at += 64) hash("sha512", `${seed} ${at / 64}`, "buffer").copy(bytes, at);
  return bytes.subarray(0, length);
};

const raw = (root: string, ...hex: readonly string[]): Buffer =>
  Buffer.concat([Buffer.from(`${root}/`), ...hex.map((part) => Buffer.from(part, "hex"))]);

export const plantNastyTree = async (root: string): Promise<void> => {
  const isRoot = process.getuid?.() === 0;
  await mkdir(`${root}/docs/deep/er/still`, { recursive: true });
  await mkdir(`${root}/empty folder`);
  await mkdir(`${root}/many`);
  for (let i = 0; i < 700; i += 1) await writeFile(`${root}/many/file ${i}`, noise(i * 3, `many ${i}`));
  for (const name of [
    "new\nline",
    'quo"te\\',
    "<tag> & more",
    "\u2028\ufeff",
    "é 日本 😀",
    "-dash",
    " ",
    "a\tb",
    "…",
  ]) {
    await writeFile(`${root}/docs/${name}`, name);
  }
  await writeFile(raw(root, "646f63732f", "fffe", "80"), "not UTF-8");
  await mkdir(raw(root, "c328"));
  await writeFile(raw(root, "c328", "2f", "e28228"), "below a folder that is not UTF-8");
  await writeFile(`${root}/docs/${"n".repeat(255)}`, "longest name");
  await writeFile(`${root}/docs/empty`, "");
  await writeFile(`${root}/large`, noise(9_000_000, "large"));
  await writeFile(
    `${root}/text`,
    Array.from({ length: 60_000 }, (_, row) => `${row}\tthe same words over and over`).join("\n"),
  );
  await writeFile(`${root}/sparse`, "begin");
  await truncate(`${root}/sparse`, 6_000_001);
  await writeFile(
    `${root}/hole in the middle`,
    Buffer.concat([noise(5000, "a"), Buffer.alloc(3_000_000), noise(77, "b")]),
  );
  await link(`${root}/large`, `${root}/docs/second name`);
  await link(`${root}/docs/empty`, `${root}/docs/deep/er/also empty`);
  await symlink("../large", `${root}/docs/to large`);
  await symlink("/etc/passwd", `${root}/docs/absolute`);
  await symlink("nowhere", `${root}/docs/dangling`);
  await execa("mkfifo", [`${root}/docs/fifo`]);
  await chmod(`${root}/docs/empty`, 0o4751);
  await chmod(`${root}/text`, 0o000);
  await chmod(`${root}/docs/deep`, 0o2770);
  await chmod(`${root}/many`, 0o1777);
  if (isRoot) {
    await execa("mknod", [`${root}/docs/null`, "c", "1", "3"]);
    await execa("mknod", [`${root}/docs/block`, "b", "259", "300"]);
    await chown(`${root}/docs/-dash`, 4321, 8765);
    await chown(`${root}/empty folder`, 65_534, 65_534);
  }
  await utimes(`${root}/docs/-dash`, 1, 1);
  // As text: numbers below zero Node takes for "now".
  await utimes(`${root}/docs/a\tb`, "-1000", String(-86_400 * 365 * 30));
  await lutimes(`${root}/docs/absolute`, "-1.25", "-1.25");
  await lutimes(`${root}/docs/dangling`, 981_173_106, 981_173_106);
  await utimes(`${root}/docs/deep/er`, 1_000_000_000, 1_000_000_000.5);
};
