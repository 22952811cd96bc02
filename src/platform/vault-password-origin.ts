/** Where the password of a vault came from, for whoever gave a wrong one: the file, the variable or the line, and where that is named. */
import { readFile } from "node:fs/promises";
import { readYaml, nodeAt } from "../core/declaration/yaml-source.ts";
import { DiagnosticCollector } from "../core/declaration/diagnostic-collector.ts";
import { parseTemplate } from "../core/declaration/template.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type PasswordOrigin = {
  /** `in /etc/refloat/password`, after "the password". */
  readonly from: string;
  /** `vault.password, refloat.yaml:3:13`; null where it was named in words. */
  readonly namedAt: string | null;
};

/** @param template as it stands in the file: `${file:/etc/refloat/password}` */
export const declaredOrigin = async (template: string, configFile: string): Promise<PasswordOrigin> => ({
  from: fromTemplate(template),
  namedAt: `vault.password, ${configFile}${await placeIn(configFile)}`,
});

const fromTemplate = (template: string): string => {
  const parts = parseTemplate(template);
  const [only] = parts;
  if (parts.length !== 1 || only?.kind !== "secret") return "that vault.password makes up";
  const [scheme, rest] = [only.reference.split(":")[0], only.reference.slice(only.reference.indexOf(":") + 1)];
  return scheme === "file" ? `in ${rest}` : scheme === "env" ? `in the variable ${rest}` : `that "${rest}" prints`;
};

/** `:3:13`, or nothing where it cannot be told. */
const placeIn = async (configFile: string): Promise<string> => {
  const { text, root } = readYaml(await readFile(configFile, "utf8").catch(() => ""));
  const node = root === undefined ? undefined : nodeAt(root, ["vault", "password"]);
  if (node === undefined) return "";
  const { line, column } = new DiagnosticCollector(configFile, text).position(node.place);
  return `:${line}:${column}`;
};

/** What is wrong with it at first sight; says nothing else of it. */
const oddity = (password: string): string | null => {
  if (password === "") return "it is empty";
  if (password.includes("\n")) return "it has more than one line";
  return password.trim() === password ? null : "it begins or ends with a blank";
};

/** @returns vault.wrong-password with its origin; any other error as it is */
export const withOrigin = async (
  error: unknown,
  password: string,
  origin: () => Promise<PasswordOrigin>,
): Promise<unknown> => {
  if (!(error instanceof RefloatError) || error.code !== "vault.wrong-password") return error;
  const { from, namedAt } = await origin();
  const odd = oddity(password);
  return new RefloatError(error.code, error.message.replace("the password", `the password ${from}`), {
    cause: error,
    context: error.context,
    ...(error.state === undefined ? {} : { state: error.state }),
    hint:
      `${odd === null ? "" : `${odd}; `}any of the vault's passwords or its recovery key opens it` +
      (namedAt === null ? "" : ` (${namedAt})`),
    ...(namedAt === null ? {} : { nextCommand: "refloat validate --live" }),
  });
};
