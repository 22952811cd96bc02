/**
 * What a YAML parser's complaint means to the person who wrote the file. A parser reports where it lost the thread;
 * this module says where the mistake was made and how the line would be right.
 */
import { type Document, type ErrorCode, type YAMLParseError, isCollection, isScalar, visit } from "yaml";
import type { Place, SourceMistake } from "./source-place.ts";

type Explained = { readonly place: Place; readonly message: string; readonly hint: string };

/** One mistake makes a parser stumble many times: the first one is told, and every tab, since each is a mistake of its own. */
export const explainSyntaxErrors = (text: string, document: Document.Parsed): readonly SourceMistake[] => {
  const tabs = document.errors.filter(({ code }) => code === "TAB_AS_INDENT");
  const first = document.errors.find(({ code }) => code !== "TAB_AS_INDENT");
  const told = [...tabs, ...(first === undefined ? [] : [first])].sort((a, b) => a.pos[0] - b.pos[0]);
  return told.map((error) => ({ code: "config.syntax", path: [], ...explain(text, document, error) }));
};

type Explain = (text: string, document: Document.Parsed, error: YAMLParseError) => Explained;

/** A sign at the place of the error itself. */
const here =
  (length: number, message: string, hint: string): Explain =>
  (_text, _document, error) => ({
    place: { offset: error.pos[0], length },
    message,
    hint,
  });

/** The parser's codes that have an explanation of their own; the rest are explained by the look of the line. */
const explanations: Partial<Record<ErrorCode, Explain>> = {
  TAB_AS_INDENT: (text, _document, error) => ({
    place: { offset: error.pos[0], length: /^\t*/.exec(text.slice(error.pos[0]))?.[0].length ?? 1 },
    message: "a tab cannot indent a line",
    hint: "YAML indents by spaces; write two spaces for each level",
  }),
  MISSING_CHAR: (text, document, error) => explainMissing(text, document, error),
  BAD_INDENT: (text, document, error) => explainIndent(text, document, error),
  BLOCK_AS_IMPLICIT_KEY: (text, _document, error) => explainNestedColon(text, lineAround(text, error.pos[0])),
  MULTILINE_IMPLICIT_KEY: (text, _document, error) => explainNoColon(lineAround(text, error.pos[0])),
  BAD_SCALAR_START: (text, _document, error) =>
    quoteValue(lineAround(text, error.pos[0]), `text cannot start with ${text[error.pos[0]] ?? "this"} without quotes`),
  MULTIPLE_DOCS: here(3, "a second YAML document begins here", "one file holds one declaration; remove the ---"),
  BAD_DQ_ESCAPE: (text, _document, error) => ({
    place: { offset: error.pos[0], length: 2 },
    message: `${text.slice(error.pos[0], error.pos[0] + 2)} means nothing in double quotes`,
    hint: "write the backslash twice, or use single quotes",
  }),
  NON_STRING_KEY: here(1, "a key must be plain text", "text that starts with { or [ is written in quotes"),
};

const explain: Explain = (text, document, error) =>
  (explanations[error.code] ?? explainUnexpected)(text, document, error);

const explainUnexpected: Explain = (text, _document, error) => {
  const line = lineAround(text, error.pos[0]);
  if (/^\s*(-\s+)?([^\s:]+:\s+)?\*/.test(line.text)) return quoteValue(line, "text cannot start with * without quotes");
  const reference = referenceInFlow(line);
  if (reference !== undefined) return reference;
  const place = { offset: error.pos[0], length: 1 };
  if (/^\s*(-\s+)?([^\s:]+:\s+)?["']/.test(line.text))
    return {
      place,
      message: "something follows the closing quote",
      hint: "put the whole text inside one pair of quotes",
    };
  return {
    place,
    message: `this is not YAML: ${lowerFirst(error.message)}`,
    hint: "look at quotes, brackets and indentation just before this place",
  };
};

const explainMissing: Explain = (text, document, error) => {
  const line = lineAround(text, error.pos[0]);
  if (/closing/.test(error.message)) {
    const quote = openQuote(document, error.pos[0]);
    return {
      place: { offset: quote, length: 1 },
      message: `this ${text[quote] ?? "quote"} is never closed`,
      hint: "close the quote on the line where the text ends",
    };
  }
  if (error.message.startsWith("Implicit map keys")) return explainNoColon(line);
  return (
    referenceInFlow(line) ?? {
      place: { offset: error.pos[0], length: 1 },
      message: "a comma or a colon is missing here",
      hint: "in [ ] values are separated by commas; in { } each key has a colon and a space",
    }
  );
};

const explainIndent: Explain = (text, document, error) => {
  const line = lineAround(text, error.pos[0]);
  if (/end with a/.test(error.message)) {
    const bracket = openBracket(document, error.pos[0]);
    const sign = /end with a (.)/.exec(error.message)?.[1] ?? "]";
    return {
      place: { offset: bracket, length: 1 },
      message: `this ${sign === "]" ? "[" : "{"} is never closed`,
      hint: `add the ${sign} where the list of values ends`,
    };
  }
  const content = contentPlace(line);
  return {
    place: content,
    message: /^\s*-/.test(line.text) ? "a list item stands in the wrong column" : "a key stands in the wrong column",
    hint: "keys that belong together start in the same column, items of a list with a dash each",
  };
};

/** `a: b: c`, or a line that is indented deeper than the one that it belongs beside. */
const explainNestedColon = (text: string, line: Line): Explained => {
  const value = /^\s*(?:-\s+)?[^\s:]+:\s+(.*)$/.exec(line.text)?.[1] ?? "";
  if (/:(\s|$)/.test(value)) return quoteValue(line, "a value with a colon and a space in it needs quotes");
  const next = lineAfter(text, line);
  return {
    place: contentPlace(next),
    message: "this line is indented deeper than the ones beside it",
    hint: "keys that belong together start in the same column",
  };
};

const explainNoColon = (line: Line): Explained => {
  const glued = /^\s*(?:-\s+)?([A-Za-z_][\w-]*):(\S+)/.exec(line.text);
  if (glued !== null)
    return {
      place: contentPlace(line),
      message: "a space is missing after the colon",
      hint: `write ${glued[1]}: ${glued[2]}`,
    };
  return {
    place: contentPlace(line),
    message: "this line has no colon",
    hint: "a key ends with a colon; text of several lines begins with | or stands in quotes",
  };
};

const quoteValue = (line: Line, message: string): Explained => {
  const [, before = "", value = ""] = /^(\s*(?:-\s+)?(?:[^\s:]+:\s+)?)(.*?)\s*$/.exec(line.text) ?? [];
  const quoted = value.includes('"') ? `'${value.replaceAll("'", "''")}'` : `"${value}"`;
  return {
    place: { offset: line.offset + before.length, length: value.length },
    message,
    hint: `write ${before.trimStart()}${quoted}`,
  };
};

/** Inside `{ }` and `[ ]` the braces of a reference are YAML's own. */
const referenceInFlow = (line: Line): Explained | undefined => {
  const found = /[[{,:]\s*(\$\{[^}]*\})/.exec(line.text);
  const [whole, reference] = found ?? [];
  if (found === null || whole === undefined || reference === undefined) return undefined;
  return {
    place: { offset: line.offset + found.index + whole.length - reference.length, length: reference.length },
    message: "inside { } and [ ] a reference needs quotes",
    hint: `write "${reference}", or one key to a line`,
  };
};

type Line = { readonly offset: number; readonly text: string };

const lineAround = (text: string, position: number): Line => {
  const offset = position <= 0 ? 0 : text.lastIndexOf("\n", position - 1) + 1;
  const end = text.indexOf("\n", offset);
  return { offset, text: text.slice(offset, end < 0 ? undefined : end).replace(/\r$/, "") };
};

const lineAfter = (text: string, line: Line): Line => {
  const end = text.indexOf("\n", line.offset);
  return lineAround(text, end < 0 ? text.length : end + 1);
};

/** A line without its indentation, dash and trailing blanks. */
const contentPlace = (line: Line): Place => {
  const indent = /^\s*/.exec(line.text)?.[0].length ?? 0;
  return { offset: line.offset + indent, length: line.text.trim().length };
};

/** The last quote that was opened before the parser gave up. */
const openQuote = (document: Document.Parsed, before: number): number => {
  let found = 0;
  visit(document, {
    Scalar: (_key, node) => {
      const quoted = isScalar(node) && (node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE");
      if (quoted && node.range && node.range[0] < before) found = node.range[0];
    },
  });
  return found;
};

const openBracket = (document: Document.Parsed, before: number): number => {
  let found = 0;
  visit(document, {
    Collection: (_key, node) => {
      if (
        isCollection(node) &&
        node.flow === true &&
        node.range &&
        node.range[0] < before &&
        node.range[1] >= before - 1
      )
        found = node.range[0];
    },
  });
  return found;
};

const lowerFirst = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);
