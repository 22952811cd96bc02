/** Posts a notification to an address, signed where a secret is declared, and again where the other side may do better the next time. */
import { createHmac } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { inJson, renderTemplate } from "../../core/notify/render-template.ts";
import type { Notification, WebhookTarget } from "../../model/notification.ts";
import { RefloatError } from "../../model/refloat-error.ts";

const firstPauseMs = 500;

export type Bind = (text: string) => Promise<string>;

/** 408 and 429 ask for another time; what the other side refuses otherwise it refuses again. */
const mayPass = (status: number): boolean => status >= 500 || status === 408 || status === 429;

/** `X-Refloat-Signature: t=SECONDS,v1=HEX`, of `SECONDS.BODY`: with the time in it an old message cannot be sent again unnoticed. */
const signatureOf = (secret: string, seconds: number, body: string): string =>
  `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;

/** @param signal ends all tries @throws RefloatError notify.undelivered with the last answer */
export const postWebhook = async (
  target: WebhookTarget,
  notification: Notification,
  bind: Bind,
  signal: AbortSignal,
): Promise<void> => {
  const body =
    target.template === undefined
      ? JSON.stringify(notification)
      : renderTemplate(target.template, notification, inJson);
  const url = await bind(target.webhook);
  const seconds = Math.floor(Date.parse(notification.at) / 1000);
  const headers: Record<string, string> = { "content-type": "application/json", "user-agent": "refloat" };
  for (const [name, text] of Object.entries(target.headers ?? {})) headers[name] = await bind(text);
  if (target.secret !== undefined)
    headers["x-refloat-signature"] = signatureOf(await bind(target.secret), seconds, body);
  let tries = 0;
  let last = "";
  for (let pauseMs = firstPauseMs; ; pauseMs *= 2) {
    tries += 1;
    try {
      const answer = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
      await answer.arrayBuffer();
      if (answer.ok) return;
      last = `HTTP ${answer.status}`;
      if (!mayPass(answer.status)) break;
    } catch (error) {
      // What fetch says of an address may hold the address, which may be a secret.
      if (error instanceof TypeError && error.cause === undefined) {
        last = "the address cannot be used";
        break;
      }
      if (signal.aborted) break;
      last = reasonOf(error);
    }
    const paused = await delay(pauseMs, true, { signal }).catch(() => false);
    if (!paused) break;
  }
  throw new RefloatError(
    "notify.undelivered",
    `${last === "" ? "no answer in time" : last}, ${tries} ${tries === 1 ? "try" : "tries"}`,
  );
};

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code ?? (error instanceof Error ? error.name : "failed");
};
