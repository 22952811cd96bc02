-- Data of a shop that has been open for two years. :orders and :invoices are given as settings shop.orders and shop.invoices.
-- The same numbers give the same rows on every machine; only the dates move with the day.
insert into schema_versions (version, applied_at) values ('2.4.0', now() - interval '40 days');

insert into categories (id, name)
select id, (array['Garden', 'Kitchen', 'Bath', 'Toys', 'Books', 'Tools', 'Lamps', 'Paper'])[1 + id % 8] || ' ' || id
from generate_series(1, 40) as id;

insert into customers (name, email, created_at)
select 'Customer ' || id, 'customer' || id || '@example.com', now() - interval '2 years' + id * interval '1 hour'
from generate_series(1, 8000) as id;

-- 7919 has no divisor in common with 20000, so exactly 1796 of the 20000 products are on sale, spread over the catalogue.
insert into products (sku, category_id, name, price, on_sale)
select 'SKU-' || to_char(id, 'FM000000'), 1 + id % 40, 'Product ' || id, 1.90 + (id * 7919 % 9973) / 100.0, id * 7919 % 20000 < 1796
from generate_series(1, 20000) as id;

create temporary table seeded_items as
select o::bigint as order_id, position, 1 + (o * 31 + position * 977) % 20000 as product_id, 1 + (o + position) % 3 as quantity
from generate_series(1, current_setting('shop.orders')::int) as o, generate_series(1, 1 + o % 3) as position;

insert into orders (id, customer_id, placed_at, total, invoice)
select i.order_id, 1 + i.order_id * 13 % 8000,
  now() - interval '2 minutes' - (current_setting('shop.orders')::int - i.order_id) * interval '5 minutes',
  sum(p.price * i.quantity),
  -- Older invoices are in the archive, which is not part of the service.
  case when i.order_id > current_setting('shop.orders')::int - current_setting('shop.invoices')::int
    then 'invoices/' || i.order_id || '.pdf' end
from seeded_items i join products p on p.id = i.product_id
group by i.order_id;

insert into order_items (order_id, position, product_id, quantity, price)
select i.order_id, i.position, i.product_id, i.quantity, p.price
from seeded_items i join products p on p.id = i.product_id
order by i.order_id, i.position;

drop table seeded_items;
select setval('orders_id_seq', current_setting('shop.orders')::int);
