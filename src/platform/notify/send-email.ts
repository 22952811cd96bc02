/** Sends a notification as a mail, over the declared server. */
import { renderTemplate } from "../../core/notify/render-template.ts";
import type { EmailTarget, Notification } from "../../model/notification.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Bind } from "./post-webhook.ts";

const asItIs = (text: string): string => text;

/** A header is one line, whatever a message holds. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, " ");

const textOf = ({ title, message, next, service, host, at }: Notification): string =>
  [
    title,
    ...(message === "" ? [] : ["", message]),
    ...(next === "" ? [] : ["", `next: ${next}`]),
    "",
    `${service} on ${host}, ${at}`,
  ].join("\n");

/** @param timeoutMs for each answer of the server @throws RefloatError notify.undelivered with what the server said */
export const sendEmail = async (
  target: EmailTarget,
  notification: Notification,
  bind: Bind,
  timeoutMs: number,
): Promise<void> => {
  // Only where there is something to send: it brings Node's HTTP along, which takes a tenth of a command's start.
  const { createTransport } = await import("nodemailer");
  const url = new URL(target.smtp);
  const isEncrypted = url.protocol === "smtps:";
  const user = decodeURIComponent(url.username);
  const transport = createTransport({
    host: url.hostname.replaceAll(/^\[|\]$/g, ""),
    port: url.port === "" ? (isEncrypted ? 465 : 587) : Number(url.port),
    secure: isEncrypted,
    // A password never goes over a wire that is not encrypted, unless that wire is within this machine.
    requireTLS: !isEncrypted && target.password !== undefined && !isLoopback(url.hostname),
    ...(user === "" ? {} : { auth: { user, pass: target.password === undefined ? "" : await bind(target.password) } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  });
  try {
    await transport.sendMail({
      from: target.from,
      to: [...target.email],
      subject: oneLine(renderTemplate(target.subject ?? "[refloat] {{title}}", notification, asItIs)),
      text:
        target.template === undefined ? textOf(notification) : renderTemplate(target.template, notification, asItIs),
      headers: { "X-Refloat-Event": notification.event, "Auto-Submitted": "auto-generated" },
    });
  } catch (error) {
    const {
      code = "failed",
      response,
      message,
    } = error as Error & { readonly code?: string; readonly response?: string };
    throw new RefloatError("notify.undelivered", `${code}: ${oneLine(response ?? message)}`, {
      cause: error,
    });
  } finally {
    transport.close();
  }
};

const isLoopback = (host: string): boolean => ["127.0.0.1", "localhost", "[::1]"].includes(host);
