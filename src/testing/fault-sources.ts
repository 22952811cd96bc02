/**
 * Where faults come from that strike a vault at random: from the store itself, as a decorator in every thread, or from the wire before a
 * bucket's server. Each is drawn from a seed; threads and requests race, so that a seed gives the same kind of trouble, not the same order.
 */
import { retryingStore } from "../vault/repository/stores/decorators/retrying-store.ts";
import type { Store } from "../vault/repository/stores/store.ts";
import type { FaultProxy, HttpFault } from "./fault-proxy.ts";
import { type FaultKind, faultyStore } from "./faulty-store.ts";

export type FaultSource = {
  /** A handle on the vault that fails now and then. */
  readonly open: () => Store;
  /** What worker threads run, so that they meet faults too; absent where they meet them anyway. */
  readonly threadEntry?: (round: number) => URL;
};

export type FaultSourceParts = { readonly random: () => number; readonly happened: (fault: string) => void };

export type StartFaults = (parts: FaultSourceParts) => FaultSource;

const rate = 0.12;
/** A request is less than an act: a read of a snapshot makes half a dozen. */
const wireRate = 0.1;
const workerUrl = new URL("faulty-vault-worker.ts", import.meta.url);

const drawFrom = <Fault>(faults: readonly Fault[], random: () => number): Fault | undefined =>
  faults[Math.floor(random() * faults.length)];

export const faultsOfStore =
  (open: () => Store, faults: readonly FaultKind[], seed: number): StartFaults =>
  ({ random, happened }) => ({
    open: () => {
      const draw = (): FaultKind | undefined => (random() >= rate ? undefined : drawFrom(faults, random));
      const store = faultyStore(open(), { random, draw, happened });
      return random() < 0.5 ? store : retryingStore(store, { waitsMs: [1, 1, 1] });
    },
    threadEntry: (round) => {
      const entry = new URL(workerUrl);
      entry.search = `?seed=${seed + round}&rate=${rate / 4}&faults=${faults.join(",")}`;
      return entry;
    },
  });

export const honestWireFaults = ["500", "503", "slow", "reset-in-body", "lost-answer", "expired-token"] as const;
export const lyingWireFaults = ["bit-flip", "stale-listing", "no-object", "reset-in-body"] as const;
const lies: ReadonlySet<string> = new Set(["bit-flip", "no-object", "stale-listing"]);
type WireFault = (typeof honestWireFaults)[number] | (typeof lyingWireFaults)[number];

const answers: Readonly<Partial<Record<WireFault, HttpFault>>> = {
  "500": { kind: "answer", status: 500, code: "InternalError" },
  "503": { kind: "answer", status: 503, code: "SlowDown" },
  "expired-token": { kind: "answer", status: 400, code: "ExpiredToken" },
  "no-object": { kind: "answer", status: 404, code: "NoSuchKey" },
  slow: { kind: "slow" },
  "reset-in-body": { kind: "reset-in-body" },
  "lost-answer": { kind: "lost-answer" },
  "stale-listing": { kind: "stale-listing" },
};

const httpFault = (fault: WireFault, random: () => number): HttpFault =>
  answers[fault] ?? { kind: "bit-flip", at: random() };

/** @param open a handle on the vault through the proxy, by which its threads go as well */
export const faultsOnTheWire =
  (proxy: FaultProxy, open: () => Store, faults: readonly WireFault[]): StartFaults =>
  ({ random, happened }) => {
    proxy.strike(({ method, isListedBefore }) => {
      const drawn = random() < wireRate ? drawFrom(faults, random) : undefined;
      // Only a listing can be old, so that it is whenever anything is to happen to it.
      const fault = isListedBefore && drawn !== undefined && lies.has(drawn) ? "stale-listing" : drawn;
      if (fault === undefined || (fault === "stale-listing" && !isListedBefore)) return undefined;
      if (lies.has(fault) && !["GET", "HEAD"].includes(method)) return undefined;
      happened(fault);
      return httpFault(fault, random);
    });
    return { open };
  };
