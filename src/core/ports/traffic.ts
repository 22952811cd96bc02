/** What a driver of traffic brings: users are held, admitted to an address, and what they reach is looked at. */
import type { z } from "zod";
import type { JsonObject } from "../../model/json.ts";
import type { DriverContext, PreflightReport } from "./driver.ts";

export type TrafficContext = Pick<DriverContext, "service" | "bind" | "clock" | "log" | "signal" | "marker">;

/** A kind of cutover that directs traffic: `haproxy`, `nginx`, `pgbouncer`, `dns`, `address`, `command`. */
export type TrafficDriver<Options = unknown> = {
  readonly kind: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  readonly preflight: (context: TrafficContext, options: Options) => Promise<PreflightReport>;
  /** How `observe` tells an address that `to:` names, where it spells it in another way. */
  readonly addressOf?: (to: string) => string;
  /** Where traffic goes now and whether it is let in. JSON, journaled before each act. */
  readonly observe: (
    context: TrafficContext,
    options: Options,
  ) => Promise<{ readonly admitted: boolean | null; readonly address: string | null; readonly raw: JsonObject }>;
  /** No request reaches the old side after this resolves. Idempotent. */
  readonly hold: (context: TrafficContext, options: Options) => Promise<void>;
  /**
   * Directs traffic to `to` (`127.0.0.1:8082`) and lets it in. Idempotent. Compare-and-set: with `from`, addresses as `observe` tells them,
   * it acts only where traffic goes to one of them, to `to` already, or nowhere. What an attempt before has written and nobody has
   * loaded counts as sent there: where that is one of `from`, it is taken back with the rest.
   * @throws RefloatError cutover.conflict if somebody has directed it elsewhere; nothing is written over that
   */
  readonly admit: (
    context: TrafficContext,
    options: Options,
    to: string,
    from?: readonly string[] | null,
  ) => Promise<void>;
};
