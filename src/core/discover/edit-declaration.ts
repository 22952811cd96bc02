/** The text of a declaration with additions made, and all else as it stands, comments among it. */
import { type Document, isMap, isSeq, parseDocument } from "yaml";
import type { Addition } from "./propose-additions.ts";

const style = { lineWidth: 0, flowCollectionPadding: true } as const;

/** @returns null where the file is written in a form that would be changed beyond the additions */
export const editDeclaration = (text: string, service: string, additions: readonly Addition[]): string | null => {
  const document = parseDocument(text);
  if (document.errors.length > 0 || document.toString(style) !== text) return null;
  for (const addition of additions) add(document, ["services", service, ...addition.path], addition);
  return document.toString(style);
};

const add = (document: Document, path: readonly string[], { as, value }: Addition): void => {
  if (as === "value") {
    const parent = document.getIn(path.slice(0, -1));
    if (parent === undefined) document.setIn(path.slice(0, -1), document.createNode({}));
    document.setIn(path, document.createNode(value));
    return;
  }
  const list = document.getIn(path);
  if (isSeq(list)) {
    list.add(document.createNode(value));
    return;
  }
  const made = document.createNode([value]);
  if (isSeq(made)) made.flow = true;
  const owner = document.getIn(path.slice(0, -1));
  if (isMap(owner)) owner.set(path.at(-1), made);
};
