/** Text into HTML. What is put into a template is escaped unless it is HTML already, so that no name of a table and no answer of a server can become markup. */

export type Html = { readonly html: string };

type Part = Html | string | number | null | readonly Part[];

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Controls and signs that turn text around have no place on a page either: they show one name for another. */
export const escapeHtml = (text: string): string =>
  text
    .replaceAll(/\p{Bidi_Control}|(?![\n\t])\p{Cc}|\p{Cs}/gu, "\uFFFD")
    .replaceAll(/[&<>"']/g, (sign) => escapes[sign] ?? sign);

const textOf = (part: Part): string => {
  if (part === null) return "";
  if (typeof part === "number") return String(part);
  if (typeof part === "string") return escapeHtml(part);
  return "html" in part ? part.html : part.map(textOf).join("");
};

/** Null is nothing; a list is its parts one after the other. */
export const markup = (texts: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: texts.map((text, index) => text + textOf(parts[index] ?? null)).join(""),
});
