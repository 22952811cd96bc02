/**
 * YAML text as plain JSON in which every key and value knows its place. Knows nothing of what the file means.
 * YAML 1.2; anchors and aliases are followed, merge keys (`<<`) and tags are not.
 */
import {
  type Alias,
  type Range,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
} from "yaml";
import type { Json } from "../../model/json.ts";
import type { Place, SourceMistake } from "./source-place.ts";
import type { JsonPath } from "./template.ts";
import { explainSyntaxErrors } from "./yaml-mistakes.ts";

export type SourceNode = {
  readonly value: Json;
  /** Where to point when the value as a whole is wrong: at a scalar itself, at the key of what spans lines. */
  readonly place: Place;
  /** The scalar as written, quotes and all; of an alias, what it stands for, where that stands. */
  readonly written: { readonly offset: number; readonly text: string } | undefined;
  readonly entries: ReadonlyMap<string, SourceEntry>;
  readonly items: readonly SourceNode[];
};

export type SourceEntry = { readonly keyPlace: Place; readonly node: SourceNode };

export type YamlSource = {
  /** The text that places refer to: the given one without a byte order mark. */
  readonly text: string;
  /** Undefined when the text is no YAML; then there are mistakes. */
  readonly root: SourceNode | undefined;
  readonly mistakes: readonly SourceMistake[];
};

/** Far above any honest file; stops one whose aliases multiply. */
const maxNodes = 50_000;
const maxDepth = 64;
const maxCharacters = 1024 * 1024;

class SourceRefusal extends Error {}

export const readYaml = (given: string): YamlSource => {
  const text = given.replace(/^\uFEFF/, "");
  if (text.length > maxCharacters) return refused("", `the file has more than ${maxCharacters} characters`);
  const document = parseDocument(text, {
    uniqueKeys: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: "error",
  });
  if (document.errors.length > 0) return { text, root: undefined, mistakes: explainSyntaxErrors(text, document) };
  const reader = new TreeReader(text);
  try {
    const root = reader.read(document.contents, [], { offset: 0, length: 0 });
    return { text, root, mistakes: reader.mistakes };
  } catch (error) {
    if (!(error instanceof SourceRefusal)) throw error;
    return refused(text, error.message);
  }
};

const refused = (text: string, message: string): YamlSource => {
  const hint = "a declaration is written and read by people; keep it small";
  const place = { offset: 0, length: 0 };
  return { text, root: undefined, mistakes: [{ code: "config.syntax", place, path: [], message, hint }] };
};

class TreeReader {
  readonly mistakes: SourceMistake[] = [];
  readonly #text: string;
  /** The newest node of each anchor, in the order of the text, as YAML resolves them. */
  readonly #anchors = new Map<string, unknown>();
  readonly #open = new Set<unknown>();
  #nodes = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(node: unknown, path: JsonPath, keyPlace: Place): SourceNode {
    this.#nodes += 1;
    if (this.#nodes > maxNodes) throw new SourceRefusal(`the file has more than ${maxNodes} values, aliases followed`);
    if (path.length > maxDepth) throw new SourceRefusal(`the file is nested more than ${maxDepth} levels deep`);
    if (isAlias(node)) return this.#readAlias(node, path, keyPlace);
    if (isScalar(node) || isMap(node) || isSeq(node)) {
      if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
      this.#refuseTag(node, path);
      if (isScalar(node)) return this.#readScalar(node, keyPlace);
      return this.#readCollection(node, path, keyPlace);
    }
    return emptyNode(keyPlace);
  }

  #readAlias(alias: Alias, path: JsonPath, keyPlace: Place): SourceNode {
    const place = this.#placeOf(alias.range, keyPlace);
    const target = this.#anchors.get(alias.source);
    if (target === undefined || this.#open.has(target)) {
      const wrong =
        target === undefined ? `no anchor &${alias.source} stands before *${alias.source}` : "an alias holds itself";
      const hint = `text that starts with * is written in quotes: "*${alias.source}"`;
      this.mistakes.push({ code: "config.syntax", place, path, message: wrong, hint });
      return emptyNode(place);
    }
    return { ...this.read(target, path, place), place };
  }

  #readScalar(scalar: Scalar, keyPlace: Place): SourceNode {
    const place = this.#placeOf(scalar.range, keyPlace);
    const [start, end] = scalar.range ?? [0, 0];
    const value = scalar.value;
    const plain =
      typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
    const json: Json = plain ? value : value === null || value === undefined ? null : (scalar.source ?? "");
    return {
      ...emptyNode(place.length === 0 ? keyPlace : place),
      value: json,
      written: { offset: start, text: this.#text.slice(start, end) },
    };
  }

  #readCollection(collection: YAMLMap | YAMLSeq, path: JsonPath, keyPlace: Place): SourceNode {
    this.#open.add(collection);
    const place = this.#placeOf(collection.range, keyPlace);
    const marked = collection.flow === true || keyPlace.length === 0 ? place : keyPlace;
    const node = isSeq(collection)
      ? this.#readList(collection, path, marked)
      : this.#readMapping(collection, path, marked);
    this.#open.delete(collection);
    return node;
  }

  #readList(list: YAMLSeq, path: JsonPath, place: Place): SourceNode {
    const items = list.items.map((item, index) =>
      this.read(item, [...path, index], { offset: place.offset, length: 0 }),
    );
    return { ...emptyNode(place), value: items.map(({ value }) => value), items };
  }

  #readMapping(mapping: YAMLMap, path: JsonPath, place: Place): SourceNode {
    const entries = new Map<string, SourceEntry>();
    for (const pair of mapping.items) {
      const key = isScalar(pair.key) ? String(pair.key.source ?? pair.key.value) : "";
      const keyPlace = this.#placeOf(isScalar(pair.key) ? pair.key.range : undefined, place);
      const node = this.read(pair.value, [...path, key], keyPlace);
      const first = entries.get(key);
      if (first !== undefined) {
        this.mistakes.push({
          code: "config.duplicate-key",
          place: keyPlace,
          path,
          message: `"${key}" is written twice`,
          hint: `the first is in line ${this.#lineOf(first.keyPlace.offset)}; one of them must go`,
        });
      } else if (key === "__proto__") {
        this.mistakes.push({
          code: "config.bad-name",
          place: keyPlace,
          path,
          message: `"${key}" cannot be a key`,
          hint: "choose another name",
        });
      } else {
        entries.set(key, { keyPlace, node });
      }
    }
    const value = Object.fromEntries([...entries].map(([key, { node }]) => [key, node.value]));
    return { ...emptyNode(place), value, entries };
  }

  #refuseTag(node: Scalar | YAMLMap | YAMLSeq, path: JsonPath): void {
    if (node.tag === undefined || node.tag.startsWith("tag:yaml.org,2002:")) return;
    this.mistakes.push({
      code: "config.syntax",
      place: this.#placeOf(node.range, { offset: 0, length: 0 }),
      path,
      message: `the tag ${node.tag} means nothing here`,
      hint: "remove it, or put the text in quotes if it starts with !",
    });
  }

  /** Cut at the end of the first line, so that carets fit under it. */
  #placeOf(range: Range | null | undefined, otherwise: Place): Place {
    if (range === null || range === undefined) return otherwise;
    const [start, end] = range;
    const lineEnd = /[\r\n]|$/.exec(this.#text.slice(start, end))?.index ?? 0;
    return { offset: start, length: lineEnd };
  }

  #lineOf(offset: number): number {
    return this.#text.slice(0, offset).split("\n").length;
  }
}

const emptyNode = (place: Place): SourceNode => ({
  value: null,
  place,
  written: undefined,
  entries: new Map(),
  items: [],
});

/** The node at a path, as far as the file has one. */
export const nodeAt = (root: SourceNode, path: JsonPath): SourceNode | undefined =>
  path.reduce<SourceNode | undefined>(
    (node, step) => (typeof step === "number" ? node?.items[step] : node?.entries.get(step)?.node),
    root,
  );

/** Where the key of a path stands; for the item of a list the item itself. Falls back to the nearest ancestor that has a place. */
export const keyPlaceAt = (root: SourceNode, path: JsonPath): Place => {
  const last = path.at(-1);
  if (last === undefined) return root.place;
  const parentPath = path.slice(0, -1);
  const parent = nodeAt(root, parentPath);
  const place = typeof last === "number" ? parent?.items[last]?.place : parent?.entries.get(last)?.keyPlace;
  return place ?? keyPlaceAt(root, parentPath);
};

/** Where the value at a path stands, or else the nearest thing above it that the file has. */
export const valuePlaceAt = (root: SourceNode, path: JsonPath): Place =>
  nodeAt(root, path)?.place ?? keyPlaceAt(root, path);

/** The place of a piece of a scalar, e.g. one reference within a longer string; the whole scalar when it is written in escapes. */
export const piecePlaceAt = (root: SourceNode, path: JsonPath, piece: string, occurrence = 0): Place => {
  const node = nodeAt(root, path);
  const whole = valuePlaceAt(root, path);
  if (node?.written === undefined) return whole;
  const { offset, text } = node.written;
  let index = text.indexOf(piece);
  for (let seen = 0; seen < occurrence && index >= 0; seen += 1) index = text.indexOf(piece, index + piece.length);
  if (index < 0) return whole;
  const firstLine = piece.split(/[\r\n]/, 1)[0] ?? "";
  return { offset: offset + index, length: firstLine.length };
};
