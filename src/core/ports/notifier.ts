/** Tells people elsewhere. A target that fails is remembered, logged and shown; it never stops, fails or holds up what is told of. */
import type { Notification } from "../../model/notification.ts";

export type NotifyOutcome = {
  /** For people, without a secret: `webhook hooks.example.com`, `mail to oncall@example.com`. */
  readonly target: string;
  /** What was told: an event, `trace of run 42`. */
  readonly event: string;
  /** Null when it was delivered. */
  readonly problem: string | null;
};

export type Notifier = {
  /** Returns at once; what it is made from may be looked up meanwhile, and null is told to nobody. Never throws. */
  readonly tell: (notification: Notification | null | (() => Promise<Notification | null>)) => void;
  /** The same, unless this machine has told the same text of the same key before. @param key such as `overdue/shop` */
  readonly tellOnce: (key: string, text: string, notification: Notification) => Promise<void>;
  /** Any other message that is to go elsewhere beside the work, with the same promise. @param act throws what kept it from being delivered */
  readonly carry: (what: Pick<NotifyOutcome, "target" | "event">, act: () => Promise<void>) => void;
  /** Resolves when each is delivered or given up. @returns all outcomes since the last call */
  readonly settle: () => Promise<readonly NotifyOutcome[]>;
};
