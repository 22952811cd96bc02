/** A statement cut into words, names, texts and marks, as the server reads it under its SQL mode. */

export type Token = {
  readonly kind: "word" | "name" | "text" | "mark";
  /** A name without its quotes. */
  readonly text: string;
  readonly begin: number;
  readonly end: number;
};

export type Statement = {
  readonly sql: string;
  /** What stands in double quotes is a name. */
  readonly hasAnsiQuotes: boolean;
  /** A backslash in a text is one of its characters. */
  readonly hasNoBackslashes: boolean;
};

const wordPattern = /[A-Za-z0-9_$\u0080-\u00ff]+/y;
/** Between quotes, a quote that is doubled is one of the text. */
const quotedPattern = { "'": /'(?:[^']|'')*'/y, '"': /"(?:[^"]|"")*"/y, "`": /`(?:[^`]|``)*`/y };
const escapedPattern = { "'": /'(?:[^'\\]|\\[^]|'')*'/y, '"': /"(?:[^"\\]|\\[^]|"")*"/y };
const gapPattern = /(?:\s+|--(?:[ \t][^\n]*)?(?:\n|$)|#[^\n]*|\/\*(?!M?!)[^]*?\*\/|\/\*M?!\d*|\*\/)/y;

const matchAt = (pattern: RegExp, text: string, at: number): string | null => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
};

/** What stands in a comment that the server executes is read like the rest. @returns null for what is cut within a text or a name */
export const tokensOf = ({ sql, hasAnsiQuotes, hasNoBackslashes }: Statement): readonly Token[] | null => {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length;) {
    const gap = matchAt(gapPattern, sql, at);
    if (gap !== null && gap !== "") {
      at += gap.length;
      continue;
    }
    const letter = sql[at] ?? "";
    if (letter === "'" || letter === '"' || letter === "`") {
      const isName = letter === "`" || (letter === '"' && hasAnsiQuotes);
      const pattern = letter === "`" || isName || hasNoBackslashes ? quotedPattern[letter] : escapedPattern[letter];
      const quoted = matchAt(pattern, sql, at);
      if (quoted === null) return null;
      const text = quoted.slice(1, -1).replaceAll(letter + letter, letter);
      tokens.push({ kind: isName ? "name" : "text", text, begin: at, end: at + quoted.length });
      at += quoted.length;
      continue;
    }
    const word = matchAt(wordPattern, sql, at) ?? letter;
    const kind = word === letter && !/[\w$\u0080-\u00ff]/.test(letter) ? "mark" : "word";
    tokens.push({ kind, text: word, begin: at, end: at + word.length });
    at += word.length;
  }
  return tokens;
};

export const isWord = (token: Token | undefined, ...words: readonly string[]): boolean =>
  token?.kind === "word" && words.includes(token.text.toUpperCase());
