/** The catalogue as release 2.4.0 knows it. */

/** @returns {Promise<Map<number, {name: string, price: string}>>} by product, locked against change until the transaction ends */
export const readPrices = async (client, ids) => {
  const { rows } = await client.query("select id, name, price from products where id = any($1) for share", [ids]);
  return new Map(rows.map(({ id, name, price }) => [id, { name, price }]));
};

export const readProduct = async (pool, id) => {
  const { rows } = await pool.query("select id, sku, name, price from products where id = $1", [id]);
  return rows[0];
};

/** @returns a page of `[id, price]` and where the next one begins */
export const listPrices = async (pool, after) => {
  const { rows } = await pool.query("select id, price from products where id > $1 order by id limit 5000", [after]);
  return { prices: rows.map(({ id, price }) => [id, price]), next: rows.at(-1)?.id ?? null };
};
