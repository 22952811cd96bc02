/** The notifier of one process: each message goes to all targets that want it, at once and beside the work; what could not be delivered is kept to be shown. */
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseTemplate } from "../../core/declaration/template.ts";
import type { Log } from "../../core/ports/environment.ts";
import type { Notifier, NotifyOutcome } from "../../core/ports/notifier.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { type Notification, type NotifyTarget, isToldToAll } from "../../model/notification.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { writeFileAtomically } from "../atomic-file.ts";
import { readSecret } from "../secret.ts";
import { postWebhook } from "./post-webhook.ts";
import { sendEmail } from "./send-email.ts";

export type NotifierParts = {
  /** Of the file; none where there is no file. */
  readonly targets: () => Promise<readonly NotifyTarget[]>;
  /** Where it is remembered what was told once. */
  readonly memory: string;
  readonly log: Log;
};

const usualTimeoutMs = 20_000;

const wants = ({ on, services }: NotifyTarget, { event, service }: Notification): boolean =>
  isToldToAll(event) || ((on?.includes(event) ?? true) && (services?.includes(service) ?? true));

/** A webhook's path may be its password. */
const nameOf = (target: NotifyTarget): string => {
  if ("email" in target) return `mail to ${target.email.join(", ")}`;
  return URL.canParse(target.webhook) ? `webhook ${new URL(target.webhook).host}` : "webhook";
};

export const createNotifier = ({ targets, memory, log }: NotifierParts): Notifier => {
  let pending: Promise<void>[] = [];
  let outcomes: NotifyOutcome[] = [];

  const bindWith =
    (signal: AbortSignal) =>
    async (text: string): Promise<string> => {
      let bound = "";
      for (const part of parseTemplate(text)) {
        if (part.kind === "literal") bound += part.text;
        else if (part.kind === "secret") bound += (await readSecret(part.reference, signal)).reveal();
      }
      return bound;
    };

  const send = async (target: NotifyTarget, notification: Notification): Promise<void> => {
    const timeoutMs = (target.timeout === undefined ? undefined : parseDuration(target.timeout)) ?? usualTimeoutMs;
    const signal = AbortSignal.timeout(timeoutMs);
    await attempt({ target: nameOf(target), event: notification.event }, () => {
      const sending =
        "email" in target
          ? sendEmail(target, notification, bindWith(signal), timeoutMs)
          : postWebhook(target, notification, bindWith(signal), signal);
      return Promise.race([sending, whenAborted(signal)]);
    });
  };

  const attempt = async (what: Pick<NotifyOutcome, "target" | "event">, act: () => Promise<void>): Promise<void> => {
    try {
      await act();
      outcomes.push({ ...what, problem: null });
    } catch (error) {
      const { message } = toRefloatError(error);
      outcomes.push({ ...what, problem: message });
      log.warn("a message was not delivered", { ...what, reason: message });
    }
  };

  const deliver = async (notification: Parameters<Notifier["tell"]>[0]): Promise<void> => {
    try {
      const made = typeof notification === "function" ? await notification() : notification;
      if (made === null) return;
      const wanted = (await targets()).filter((target) => wants(target, made));
      await Promise.all(wanted.map((target) => send(target, made)));
    } catch (error) {
      log.warn("nobody could be notified", { reason: toRefloatError(error).message });
    }
  };

  const told = async (): Promise<Record<string, string>> => {
    try {
      return JSON.parse(await readFile(memory, "utf8")) as Record<string, string>;
    } catch {
      // Lost or torn: what was told is told once more.
      return {};
    }
  };

  return {
    tell: (notification) => {
      pending.push(deliver(notification));
    },
    tellOnce: async (key, text, notification) => {
      if ((await told())[key] === text) return;
      const before = outcomes.length;
      const delivery = deliver(notification);
      pending.push(delivery);
      await delivery;
      const mine = outcomes.slice(before);
      // What reached nobody is told again the next time.
      if (mine.length > 0 && mine.every(({ problem }) => problem !== null)) return;
      await mkdir(dirname(memory), { recursive: true, mode: 0o700 });
      await writeFileAtomically(memory, JSON.stringify({ ...(await told()), [key]: text }));
    },
    carry: (what, act) => {
      pending.push(attempt(what, act));
    },
    settle: async () => {
      while (pending.length > 0) {
        const waiting = pending;
        pending = [];
        await Promise.all(waiting);
      }
      const ended = outcomes;
      outcomes = [];
      return ended;
    },
  };
};

const whenAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const giveUp = (): void => reject(new RefloatError("notify.undelivered", "no answer in time"));
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
