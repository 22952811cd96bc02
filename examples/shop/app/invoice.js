/** An invoice as a real, one-page PDF file. Written whole or not at all, and never written over. */
import { randomBytes } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { join } from "node:path";

const escapeText = (text) => text.replace(/[\\()]/g, "\\$&").replace(/[^\x20-\x7e]/g, "?");

/** @returns {Buffer} */
export const renderInvoice = (order) => {
  const lines = [
    `Invoice ${order.id}`,
    `Date ${order.placedAt}`,
    ...order.items.map((item) => `${item.quantity} x ${item.name} at ${item.price}`),
    `Total ${order.total}`,
  ];
  const drawing = lines
    .map((line, row) => `BT /F1 11 Tf 60 ${760 - row * 18} Td (${escapeText(line)}) Tj ET`)
    .join("\n");
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    `<< /Length ${Buffer.byteLength(drawing)} >>\nstream\n${drawing}\nendstream`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
  ];
  let body = "%PDF-1.4\n";
  const offsets = objects.map((object, index) => {
    const offset = Buffer.byteLength(body);
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const size = objects.length + 1;
  return Buffer.from(
    `${body}xref\n0 ${size}\n0000000000 65535 f \n${table}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${Buffer.byteLength(body)}\n%%EOF\n`,
  );
};

/**
 * @param {string} uploads folder of uploaded and generated files
 * @param {string} name path inside it, e.g. `invoices/200001.pdf`
 * @throws when a file of that name exists: two orders with one number are a fault that must not stay unnoticed
 */
export const writeInvoice = async (uploads, name, content) => {
  const path = join(uploads, name);
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
};
