/**
 * The shop: a catalogue and orders over HTTP. Configured by PORT, DATABASE_URL and UPLOADS, as its process manager gives them.
 *
 *   GET  /alive          is this process there? (for the proxy)
 *   GET  /health         would customers be served right? 503 with the reason if not
 *   GET  /products?after=ID   the price list, a page of 5,000
 *   GET  /products/ID    one product
 *   POST /orders         {customer, items: [{product, quantity}]} -> 201 {id, total, invoice}
 */
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import pg from "pg";
import { BadOrder, placeOrder } from "./orders.js";
import { listPrices, readProduct } from "./products.js";

const { version: release } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const { PORT: port, DATABASE_URL: databaseUrl, UPLOADS: uploads } = process.env;
if (!port || !databaseUrl || !uploads) {
  console.error("PORT, DATABASE_URL and UPLOADS must be set");
  process.exit(2);
}

const pool = new pg.Pool({
  connectionString: databaseUrl,
  application_name: `shop ${release}`,
  max: 10,
  connectionTimeoutMillis: 5_000,
  statement_timeout: 10_000,
});
// An idle connection that the server ends (a restart, a switch of databases) is replaced by the pool; it must not end us.
pool.on("error", (error) => console.error(`idle connection lost: ${error.message}`));

const largestBodyBytes = 64 * 1024;

const readJson = async (request) => {
  const parts = [];
  let sizeBytes = 0;
  for await (const part of request) {
    sizeBytes += part.length;
    if (sizeBytes > largestBodyBytes) throw new BadOrder("the request is too large");
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw new BadOrder("the request is not JSON");
  }
};

/** Looks at what customers depend on, not at itself: a free product is as wrong as no answer. */
const examineHealth = async () => {
  const { rows } = await pool.query("select count(*)::int as free from products where price <= 0");
  const folder = await stat(uploads);
  if (!folder.isDirectory())
    return { status: 503, body: { release, healthy: false, reason: "uploads is not a folder" } };
  const { free } = rows[0];
  return free === 0
    ? { status: 200, body: { release, healthy: true } }
    : { status: 503, body: { release, healthy: false, reason: `price 0 on ${free} products` } };
};

const answer = async (request) => {
  const { pathname, searchParams } = new URL(request.url, "http://shop");
  const product = /^\/products\/(\d{1,9})$/.exec(pathname);
  if (request.method === "GET" && pathname === "/alive") return { status: 200, body: { release } };
  if (request.method === "GET" && pathname === "/health") return examineHealth();
  if (request.method === "GET" && pathname === "/products") {
    return { status: 200, body: await listPrices(pool, Number(searchParams.get("after") ?? 0) || 0) };
  }
  if (request.method === "GET" && product) {
    const found = await readProduct(pool, Number(product[1]));
    return found ? { status: 200, body: found } : { status: 404, body: { error: "no such product" } };
  }
  if (request.method === "POST" && pathname === "/orders") {
    return { status: 201, body: await placeOrder(pool, uploads, await readJson(request)) };
  }
  return { status: 404, body: { error: "no such page" } };
};

const server = createServer(async (request, response) => {
  let result;
  try {
    result = await answer(request);
  } catch (error) {
    if (!(error instanceof BadOrder)) console.error(`${request.method} ${request.url}: ${error.message}`);
    result =
      error instanceof BadOrder
        ? { status: 400, body: { error: error.message } }
        : { status: request.url === "/health" ? 503 : 500, body: { error: "the shop has a problem", release } };
  }
  const text = JSON.stringify(result.body);
  response.writeHead(result.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "x-release": release,
    // A client that holds a connection to a process that is leaving would find it closed under its next request.
    ...(leaving ? { connection: "close" } : {}),
  });
  response.end(text);
});

let leaving = false;
const leave = () => {
  if (leaving) return;
  leaving = true;
  // Requests that are under way are answered; then the last connection goes.
  server.close(async () => {
    await pool.end();
    process.exit(0);
  });
  server.closeIdleConnections();
};
process.on("SIGTERM", leave);
process.on("SIGINT", leave);

server.listen(Number(port), "127.0.0.1", () => console.log(`shop ${release} on 127.0.0.1:${port}`));
