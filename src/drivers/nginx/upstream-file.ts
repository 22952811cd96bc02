/**
 * The one `server` line of an upstream block, read and rewritten in the text of its file; everything else in it stays as a person wrote it.
 * Not a parser of nginx's language: a file that is not of this simple form is refused, and nginx itself tests what was written.
 */
import { RefloatError } from "../../model/refloat-error.ts";

export type UpstreamServer = {
  readonly address: string;
  /** `max_fails=3 weight=2`, as it stands there, without `down`. */
  readonly parameters: readonly string[];
  readonly down: boolean;
};

type Span = { readonly begin: number; readonly end: number };
type Place = {
  readonly server: UpstreamServer;
  readonly address: Span;
  readonly down: readonly Span[];
  /** Of the last word of the line. */
  readonly end: number;
};

const refusal = (path: string, upstream: string, why: string): RefloatError =>
  new RefloatError("source.unsupported", `${path}: ${why}`, {
    state: "nothing was changed",
    hint: `write it so: upstream ${upstream} { server 127.0.0.1:8081; }`,
  });

/** Comments become blanks, so that places in the text stay what they are. */
const withoutComments = (text: string): string => text.replaceAll(/#[^\n]*/g, (comment) => " ".repeat(comment.length));

const find = (text: string, path: string, upstream: string): Place => {
  const bare = withoutComments(text);
  const blocks = [...bare.matchAll(/(?:^|[\s;}])upstream\s+([^\s{]+)\s*\{([^{}]*)\}/g)].filter(
    ([, name]) => name === upstream || name === `"${upstream}"`,
  );
  const [block] = blocks;
  if (block === undefined) throw refusal(path, upstream, `there is no block "upstream ${upstream}"`);
  if (blocks.length > 1) throw refusal(path, upstream, `there are ${blocks.length} blocks "upstream ${upstream}"`);
  const body = block[2] ?? "";
  const bodyBegin = block.index + block[0].length - 1 - body.length;
  const lines = [...body.matchAll(/(?<=^|[\s;])server\s+([^;]+);/g)];
  const [line] = lines;
  if (line === undefined) throw refusal(path, upstream, `upstream ${upstream} has no server`);
  if (lines.length > 1)
    throw refusal(path, upstream, `upstream ${upstream} has ${lines.length} servers, and only one can be switched`);
  const words = [...(line[1] ?? "").matchAll(/\S+/g)];
  const begin = bodyBegin + line.index;
  const wordsBegin = begin + line[0].length - 1 - (line[1] ?? "").length;
  const places = words.map(([word], index) => {
    const at = wordsBegin + (words[index]?.index ?? 0);
    return { word, begin: at, end: at + word.length };
  });
  const [address = { word: "", begin, end: begin }, ...parameters] = places;
  return {
    server: {
      address: address.word,
      parameters: parameters.map(({ word }) => word).filter((word) => word !== "down"),
      down: parameters.some(({ word }) => word === "down"),
    },
    address,
    down: parameters.filter(({ word }) => word === "down"),
    end: (parameters.at(-1) ?? address).end,
  };
};

/** @throws RefloatError source.unsupported when the block is not there or not of one server */
export const readUpstream = (text: string, path: string, upstream: string): UpstreamServer =>
  find(text, path, upstream).server;

/**
 * The text with another address in its place, and `down` or not; blanks and all other words stay, so that the way back gives the text that
 * was. @throws RefloatError source.unsupported
 */
export const writeUpstream = (
  text: string,
  path: string,
  upstream: string,
  { address, down }: Pick<UpstreamServer, "address" | "down">,
): string => {
  const place = find(text, path, upstream);
  const bare = withoutComments(text);
  const words = place.down.map(({ begin, end }) => {
    const blank = /\s*$/.exec(text.slice(0, begin))?.[0] ?? "";
    // Drawn up behind a comment, what follows would be a part of it.
    const followsComment = bare[begin - blank.length - 1] !== text[begin - blank.length - 1];
    return { begin: followsComment ? begin : begin - blank.length, end, put: "" };
  });
  const changes = [
    { ...place.address, put: address },
    ...(down === place.server.down ? [] : down ? [{ begin: place.end, end: place.end, put: " down" }] : words),
  ].sort((a, b) => b.begin - a.begin);
  return changes.reduce((sum, { begin, end, put }) => `${sum.slice(0, begin)}${put}${sum.slice(end)}`, text);
};
