/** Migration to 2.5.0: products on sale get a discount. As it was shipped, with the mistake in the second statement. */
import pg from "pg";

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
try {
  await client.query("begin");
  await client.query("alter table products add column discount_percent int not null default 0");
  await client.query("update products set discount_percent = 20 where on_sale");
  await client.query("update products set price = round(price * discount_percent / 100, 2)");
  await client.query("insert into schema_versions (version) values ('2.5.0')");
  await client.query("commit");
  console.log("migrated to 2.5.0");
} finally {
  await client.end();
}
