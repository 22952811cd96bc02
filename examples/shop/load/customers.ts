/**
 * Customers of the shop: they come at a steady rate, whether or not the shop keeps up, look at a product, compare its price with the
 * printed catalogue, and order. Everything they see goes to a log of JSON lines, each with its instant; an order stands there only
 * once the shop has acknowledged it. They know the shop by its address and nothing else.
 */
import { once } from "node:events";
import { type WriteStream, createWriteStream } from "node:fs";
import { z } from "zod";
import { type Calm, type Incident, IncidentWatch } from "./incident-watch.ts";

export type CustomersOptions = {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly ordersPerSecond: number;
  /** The log is appended to. */
  readonly logPath: string;
  readonly calm: Calm;
  /** An answer that takes longer is a failed one. */
  readonly patienceMs: number;
};

export type AcknowledgedOrder = { readonly id: number; readonly total: string; readonly at: Date };

/** More customers than this wait at once only when the shop hangs; the next ones are turned away, which is a failed answer. */
const mostWaiting = 200;

const cataloguePageSchema = z.object({ prices: z.array(z.tuple([z.int(), z.string()])), next: z.int().nullable() });
const productSchema = z.object({ id: z.int(), price: z.string() });
const orderSchema = z.object({ id: z.int(), total: z.string(), invoice: z.string() });

/** What a customer holds against the shop. */
class Complaint extends Error {}

const pick = (most: number): number => 1 + Math.floor(Math.random() * most);

export class Customers {
  readonly #options: CustomersOptions;
  readonly #watch: IncidentWatch;
  readonly #log: WriteStream;
  readonly #waiting = new Set<Promise<void>>();
  readonly #orders: AcknowledgedOrder[] = [];
  readonly #listeners = new Set<() => void>();
  #catalogue = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #arrivals = 0;
  #ending: Promise<void> | undefined;

  constructor(options: CustomersOptions) {
    this.#options = options;
    this.#watch = new IncidentWatch(options.calm);
    this.#log = createWriteStream(options.logPath, { flags: "a" });
  }

  get incidents(): readonly Incident[] {
    return this.#watch.incidents;
  }

  /** Orders that the shop has acknowledged. Of an order whose answer did not come nobody knows whether it was taken. */
  get acknowledged(): readonly AcknowledgedOrder[] {
    return this.#orders;
  }

  /** Reads the catalogue, which the shop must serve right now, and opens the doors. */
  async begin(): Promise<void> {
    for (let after: number | null = 0; after !== null;) {
      const page: z.infer<typeof cataloguePageSchema> = await this.#ask(
        `/products?after=${after}`,
        200,
        cataloguePageSchema,
      );
      for (const [id, price] of page.prices) this.#catalogue.set(id, price);
      after = page.next;
    }
    this.#write("opened", { products: this.#catalogue.size, ordersPerSecond: this.#options.ordersPerSecond });
    const startedAt = performance.now();
    const intervalMs = 1000 / this.#options.ordersPerSecond;
    // Arrivals follow the clock and not the answers: a slow shop must not slow its customers down, or it would look healthy.
    this.#timer = setInterval(() => {
      while (this.#arrivals * intervalMs < performance.now() - startedAt) {
        this.#arrivals += 1;
        this.#arrive();
      }
    }, intervalMs / 2);
  }

  /** Closes the doors and waits for those who are still inside. Idempotent. */
  end(): Promise<void> {
    this.#ending ??= this.#close();
    return this.#ending;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#waiting);
    this.#write("closed", { arrivals: this.#arrivals, orders: this.#orders.length });
    this.#log.end();
    await once(this.#log, "close");
  }

  /**
   * Resolves when `condition` holds; it is looked at after each answer.
   * @throws the signal's reason
   */
  async until(condition: (customers: this) => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (condition(this)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (condition(this)) resolve();
    };
    const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
    this.#listeners.add(look);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      this.#listeners.delete(look);
      signal.removeEventListener("abort", abort);
    }
  }

  #arrive(): void {
    if (this.#waiting.size >= mostWaiting) {
      this.#note("turned away: too many are waiting");
      return;
    }
    const visit = this.#visit().finally(() => this.#waiting.delete(visit));
    this.#waiting.add(visit);
  }

  async #visit(): Promise<void> {
    const product = pick(this.#catalogue.size);
    try {
      const shown = await this.#ask(`/products/${product}`, 200, productSchema);
      const printed = this.#catalogue.get(product);
      if (shown.price !== printed) this.#note(`price ${shown.price} instead of ${printed} for product ${product}`);
      else this.#note(null);
      await this.#order(product);
    } catch (error) {
      this.#note(error instanceof Complaint ? error.message : `no answer: ${String(error)}`);
    }
  }

  /** A customer orders what is shown, at whatever price: who would not take it for nothing? */
  async #order(product: number): Promise<void> {
    const other = 1 + (product % this.#catalogue.size);
    const items = [product, other].slice(0, pick(2)).map((id) => ({ product: id, quantity: pick(3) }));
    const order = await this.#ask("/orders", 201, orderSchema, { customer: pick(8000), items });
    const at = new Date();
    this.#orders.push({ id: order.id, total: order.total, at });
    this.#write("order", order, at);
  }

  /** @throws Complaint */
  async #ask<T>(path: string, status: number, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.#options.url}${path}`, {
        signal: AbortSignal.timeout(this.#options.patienceMs),
        ...(body === undefined
          ? {}
          : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      throw new Complaint(`no answer from ${path}: ${failureOf(error)}`, { cause: error });
    }
    if (response.status !== status) throw new Complaint(`HTTP ${response.status} from ${path}`);
    const parsed = schema.safeParse(safeJson(text));
    if (!parsed.success) throw new Complaint(`an answer from ${path} that is not the shop's`);
    return parsed.data;
  }

  #note(reason: string | null): void {
    const at = new Date();
    if (reason !== null) this.#write("bad", { reason }, at);
    const noted = this.#watch.note({ at, right: reason === null, ...(reason === null ? {} : { reason }) });
    if (noted?.change === "began") this.#write("incident", { reason: noted.incident.reason }, at);
    if (noted?.change === "over") {
      this.#write("normal", { beganAt: noted.incident.beganAt, endedAt: noted.incident.endedAt }, at);
    }
    for (const look of this.#listeners) look();
  }

  #write(event: string, fields: Readonly<Record<string, unknown>>, at = new Date()): void {
    this.#log.write(`${JSON.stringify({ at: at.toISOString(), event, ...fields })}\n`);
  }
}

const safeJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** fetch says only "fetch failed"; the reason is its cause. */
const failureOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause?.code ?? error.name;
};
