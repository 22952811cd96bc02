/** A TSIG key as it stands in `key:`: the text of a key file, or `algorithm:name:secret`. Only the words that nsupdate may be told. */
import { RefloatError } from "../../model/refloat-error.ts";

export type TsigKey = { readonly algorithm: string; readonly name: string; readonly secret: string };

const algorithms = ["hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"];
const keyFile = /^\s*key\s+"?([A-Za-z0-9._-]+)"?\s*\{([^}]*)\}\s*;\s*$/;
const shortForm = /^\s*([A-Za-z0-9-]+):([A-Za-z0-9._-]+):(\S+)\s*$/;
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

const wordOf = (body: string, key: string): string | undefined =>
  new RegExp(String.raw`(?:^|[\s;])${key}\s+"?([^"\s;]+)"?\s*;`).exec(body)?.[1];

const partsOf = (text: string): Partial<TsigKey> => {
  const uncommented = text.replaceAll(/\/\*[\s\S]*?\*\/|(?:#|\/\/)[^\n]*/g, " ");
  const [, name, body] = keyFile.exec(uncommented) ?? [];
  if (name !== undefined && body !== undefined) {
    const [algorithm, secret] = [wordOf(body, "algorithm"), wordOf(body, "secret")];
    return { name, ...(algorithm === undefined ? {} : { algorithm }), ...(secret === undefined ? {} : { secret }) };
  }
  const [, algorithm, short, secret] = shortForm.exec(text) ?? [];
  return algorithm === undefined || short === undefined || secret === undefined
    ? {}
    : { algorithm, name: short, secret };
};

/** @throws RefloatError config.invalid, which never repeats the text: it is a secret */
export const readTsigKey = (text: string): TsigKey => {
  const { algorithm = "", name, secret = "" } = partsOf(text);
  if (name === undefined || !base64.test(secret) || !algorithms.includes(algorithm.toLowerCase())) {
    throw new RefloatError("config.invalid", "key: is no TSIG key", {
      hint: `it is the text of a file that tsig-keygen wrote, or ALGORITHM:NAME:SECRET; algorithms: ${algorithms.join(", ")}`,
    });
  }
  return { algorithm: algorithm.toLowerCase(), name, secret };
};
