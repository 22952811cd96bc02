/**
 * A database with what breaks naive dumps: odd names, partitions, row security, identity and generated columns, large objects,
 * materialised views, extensions with configuration tables, domains, comments, triggers, cycles of foreign keys, empty and
 * unlogged tables, sequences far ahead of their tables, settings and grants of the database itself.
 */
import type { Client } from "pg";

const roles = `
create role nasty_owner login password 'never in a point';
create role nasty_reader nologin;
create role "Nasty Group" nologin;
grant "Nasty Group" to nasty_owner;`;

const settings = (database: string): string => `
comment on database ${database} is 'It''s the shop: "live"';
alter database ${database} set search_path to app, public, "Odd Schema";
alter database ${database} set work_mem = '5MB';
alter role nasty_reader in database ${database} set statement_timeout = '5s';
revoke connect on database ${database} from public;
grant connect, temporary on database ${database} to nasty_reader;
grant create on database ${database} to "Nasty Group" with grant option;`;

const schema = `
set client_min_messages = warning;
create extension pg_trgm;
create extension hstore;
create schema app authorization nasty_owner;
create schema "Odd Schema";
create type app.mood as enum ('sad', 'ok', 'it''s "great"');
create domain app.price as numeric(10, 2) check (value >= 0);
create type app.size as (width int, height int);
create function app.touch() returns trigger language plpgsql as $$ begin new.touched := new.touched + 1; return new; end $$;
create function app.shout(text) returns text language sql immutable as $$ select upper($1) $$;

create table products (
  id bigint generated always as identity primary key,
  name text not null,
  price app.price,
  mood app.mood default 'ok',
  size app.size,
  tags hstore,
  gross numeric generated always as (price * 1.2) stored,
  touched int not null default 0,
  data jsonb, raw bytea, at timestamptz, tz timestamp, d double precision, r real,
  status varchar(10) check (status in ('new', 'old')),
  unique (name, price)
);
comment on table products is E'multi\\nline; \\'quoted\\'';
comment on column products.name is 'the "name"';
create index products_trgm on products using gin (name gin_trgm_ops);
create index products_shout on products (app.shout(name)) where price > 10;
create trigger touch before insert or update on products for each row execute function app.touch();
alter table products cluster on products_pkey;

create table "Odd Schema"."Odd "" Table; drop" ("a column" int primary key, "select" text, dropped int, "ünïcödé" text);
alter table "Odd Schema"."Odd "" Table; drop" drop column dropped;
create table "Odd Schema"."a.b" (c text);
create table empty_one (id int primary key);
create table no_columns ();
create table only_generated (a int generated always as (1) stored);
create unlogged table cache (k text primary key, v text);
create table orders (id serial primary key, product bigint references products, at timestamptz default now(), self int references orders deferrable initially deferred);
create table cycle_a (id int primary key, b int);
create table cycle_b (id int primary key, a int references cycle_a);
alter table cycle_a add foreign key (b) references cycle_b;

create table events (id bigint, at date not null, kind text not null, primary key (id, at, kind)) partition by range (at);
create table events_2023 partition of events for values from ('2023-01-01') to ('2024-01-01');
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01') partition by list (kind);
create table events_2024_a partition of events_2024 for values in ('a');
create table events_rest partition of events_2024 default;
create index events_kind on events (kind);
create table parent (id int primary key, v text);
create table child (extra int) inherits (parent);

create table secrets (id int primary key, owner name, body text);
alter table secrets enable row level security, force row level security;
create policy mine on secrets using (owner = current_user);
alter table secrets owner to nasty_owner;
grant select (id, owner) on secrets to nasty_reader;
alter default privileges for role nasty_owner in schema app grant select on tables to nasty_reader;

create sequence app.countdown increment -3 maxvalue 100 minvalue -100 start 100 cycle;
create sequence far_ahead as bigint;
create view app.cheap as select id, name from products where price < 5;
create materialized view app.totals as select count(*) as n, sum(price) as total from products;
create unique index totals_n on app.totals (n);
create materialized view app.unfilled as select 1 as one with no data;
create statistics products_stats (dependencies) on name, price from products;
create rule no_delete as on delete to empty_one do instead nothing;
create table blobs (id int primary key, blob oid);
create publication changes for table orders;`;

const data = (rows: number): string => `
insert into products (name, price, mood, size, tags, data, raw, at, tz, d, r, status)
select case when i % 97 = 0 then E'tab\\there \\\\ back\\nnew \\\\. dot' || i else 'product ' || i end,
       (i % 1000) / 10.0, (enum_range(null::app.mood))[1 + i % 3], row(i, -i)::app.size,
       hstore('k', i::text), jsonb_build_object('i', i, 'n', null, 'text', 'ü€😀'),
       decode(md5(i::text), 'hex'), timestamptz '2024-03-10 01:30+01' + i * interval '1 minute',
       timestamp '1999-12-31 23:59:59.123456' + i * interval '1 day', 1.0 / i, (1.0 / i)::real,
       case i % 3 when 0 then 'new' when 1 then 'old' end
  from generate_series(1, ${rows}) i;
insert into products (name, price, at, d) values ('', null, 'infinity', 'NaN'), ('\\N', 0, '-infinity', '-Infinity');
insert into "Odd Schema"."Odd "" Table; drop" values (1, null, 'ä'), (2, '\\.', ''), (3, E'\\r\\n\\b\\f\\v', '''');
insert into "Odd Schema"."a.b" values ('x');
insert into no_columns default values;
insert into no_columns default values;
insert into only_generated default values;
insert into cache select 'k' || i, i from generate_series(1, 10) i;
insert into orders (product, self) select 1 + i % 50, nullif(i, 1) - 1 from generate_series(1, 500) i;
insert into cycle_a values (1, null), (2, null);
insert into cycle_b values (1, 2), (2, 1);
update cycle_a set b = 1;
insert into events select i, date '2023-06-01' + (i % 500), case when i % 2 = 0 then 'a' else 'b' end from generate_series(1, 1000) i;
insert into parent values (1, 'p');
insert into child values (2, 'c', 3);
insert into secrets values (1, 'nasty_owner', 'one'), (2, 'somebody', 'two');
select setval('far_ahead', 1234567890123);
select nextval('app.countdown'), nextval('app.countdown');
insert into blobs select 1, lo_from_bytea(0, 'small \\000 blob'::bytea);
insert into blobs select 2, lo_from_bytea(0, decode(repeat(md5('x'), 100000), 'hex'));
insert into blobs select 3, lo_from_bytea(0, ''::bytea);
do $$ begin execute format('comment on large object %s is ''a blob''', (select blob from blobs where id = 1)); end $$;
do $$ begin execute format('grant select on large object %s to nasty_reader', (select blob from blobs where id = 1)); end $$;
refresh materialized view app.totals;`;

/** @param client connected to the empty database as a superuser @param rows in the largest table */
export const fillNastyDatabase = async (client: Client, database: string, rows = 5_000): Promise<void> => {
  await client.query(roles);
  await client.query(schema);
  await client.query(data(rows));
  await client.query(settings(database));
};
