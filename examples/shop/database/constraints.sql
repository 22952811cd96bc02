alter table customers add unique (email);
alter table categories add unique (name);
alter table products add unique (sku), add foreign key (category_id) references categories;
create index products_category on products (category_id);
alter table orders add unique (invoice), add foreign key (customer_id) references customers;
create index orders_placed_at on orders (placed_at);
create index orders_customer on orders (customer_id);
alter table order_items
  add foreign key (order_id) references orders,
  add foreign key (product_id) references products;
create index order_items_product on order_items (product_id);
