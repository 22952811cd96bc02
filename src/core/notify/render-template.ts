/** Templates of notifications: `{{field}}` is replaced, and nothing else is special. Pure. */
import type { Notification } from "../../model/notification.ts";

const field = /\{\{\s*([A-Za-z]+)\s*\}\}/g;

const fieldNames = ["event", "at", "service", "host", "title", "message", "next", "run", "state"] as const;

/** @returns names in a template that are no fields */
export const unknownFields = (template: string): readonly string[] =>
  [...template.matchAll(field)]
    .map(([, name = ""]) => name)
    .filter((name) => !fieldNames.some((known) => known === name));

/** @param escape for the place that the values are put into */
export const renderTemplate = (
  template: string,
  notification: Notification,
  escape: (text: string) => string,
): string =>
  template.replaceAll(field, (whole, name: string) => {
    const known = fieldNames.find((one) => one === name);
    return known === undefined ? whole : escape(String(notification[known] ?? ""));
  });

/** Within the quotes of a JSON string. */
export const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
