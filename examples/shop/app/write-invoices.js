/** `node write-invoices.js`: writes the invoice files that orders name and that are not there. Needs DATABASE_URL and UPLOADS. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { renderInvoice, writeInvoice } from "./invoice.js";

const uploads = process.env.UPLOADS;
await mkdir(join(uploads, "invoices"), { recursive: true });
const existing = new Set((await readdir(join(uploads, "invoices"))).map((name) => `invoices/${name}`));

const atOnce = 16;
const write = (row) => {
  const order = { id: row.id, placedAt: row.placed_at.toISOString(), items: row.items, total: row.total };
  return writeInvoice(uploads, row.invoice, renderInvoice(order));
};

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
try {
  const pageSize = 2_000;
  for (let after = "0", written = pageSize; written === pageSize;) {
    const { rows } = await client.query(
      `select o.id, o.placed_at, o.total, o.invoice,
              json_agg(json_build_object('name', p.name, 'quantity', i.quantity, 'price', i.price::text) order by i.position) as items
       from (select * from orders where invoice is not null and id > $1 order by id limit ${pageSize}) o
       join order_items i on i.order_id = o.id join products p on p.id = i.product_id
       group by o.id, o.placed_at, o.total, o.invoice order by o.id`,
      [after],
    );
    const missing = rows.filter(({ invoice }) => !existing.has(invoice));
    for (let begin = 0; begin < missing.length; begin += atOnce) {
      await Promise.all(missing.slice(begin, begin + atOnce).map(write));
    }
    after = rows.at(-1)?.id ?? after;
    written = rows.length;
  }
} finally {
  await client.end();
}
