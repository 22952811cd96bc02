/** Taking an order: prices from the catalogue, the invoice, the rows. */
import { readPrices } from "./products.js";
import { renderInvoice, writeInvoice } from "./invoice.js";

/** A request that the customer, not the shop, got wrong. */
export class BadOrder extends Error {}

const isCount = (value, most) => Number.isSafeInteger(value) && value > 0 && value <= most;

/** @throws BadOrder */
const readOrder = (body) => {
  const { customer, items } = body ?? {};
  if (!isCount(customer, 2 ** 31)) throw new BadOrder("customer must be a number");
  if (!Array.isArray(items) || items.length === 0 || items.length > 50)
    throw new BadOrder("items must be a list of 1 to 50");
  for (const item of items) {
    if (!isCount(item?.product, 2 ** 31) || !isCount(item?.quantity, 1000)) {
      throw new BadOrder("an item is a product and a quantity");
    }
  }
  if (new Set(items.map((item) => item.product)).size !== items.length)
    throw new BadOrder("a product stands in two items");
  return { customer, items };
};

/** Exact money: prices come as text such as `24.90` and are counted in cents. */
const toCents = (price) => Math.round(Number(price) * 100);
const fromCents = (cents) => (cents / 100).toFixed(2);

/**
 * The invoice is on disk before the row that names it is committed. So whatever instant a database snapshot is of, the files read
 * after it hold every invoice that its rows name. An order that fails in between leaves an invoice without a row: harmless.
 */
export const placeOrder = async (pool, uploads, body) => {
  const { customer, items } = readOrder(body);
  const client = await pool.connect();
  let broken;
  try {
    await client.query("begin");
    const products = await readPrices(
      client,
      items.map((item) => item.product),
    );
    if (products.size !== items.length) throw new BadOrder("a product is not in the catalogue");
    const priced = items.map((item) => ({ ...item, ...products.get(item.product) }));
    const total = fromCents(priced.reduce((sum, item) => sum + toCents(item.price) * item.quantity, 0));
    const { rows } = await client.query("select nextval('orders_id_seq') as id, now() as placed_at");
    const { id, placed_at: placedAt } = rows[0];
    const invoice = `invoices/${id}.pdf`;
    await writeInvoice(uploads, invoice, renderInvoice({ id, placedAt: placedAt.toISOString(), items: priced, total }));
    await client.query("insert into orders (id, customer_id, placed_at, total, invoice) values ($1, $2, $3, $4, $5)", [
      id,
      customer,
      placedAt,
      total,
      invoice,
    ]);
    await client.query(
      `insert into order_items (order_id, position, product_id, quantity, price)
       select $1, position, product, quantity, price
       from unnest($2::int[], $3::int[], $4::int[], $5::numeric[]) as item (position, product, quantity, price)`,
      [
        id,
        priced.map((_, index) => index + 1),
        priced.map((item) => item.product),
        priced.map((item) => item.quantity),
        priced.map((item) => item.price),
      ],
    );
    await client.query("commit");
    return { id: Number(id), total, invoice };
  } catch (error) {
    await client.query("rollback").catch((failure) => {
      // A connection that cannot even roll back must not go back to the pool.
      broken = failure;
    });
    // A customer that does not exist is refused by the database itself.
    if (error.code === "23503") throw new BadOrder("there is no such customer");
    throw error;
  } finally {
    client.release(broken);
  }
};
