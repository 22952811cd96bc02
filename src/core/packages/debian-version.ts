/** The order of versions of Debian packages. Source: Debian Policy 5.6.12; `dpkg --compare-versions` says the same. */

type Parts = { readonly epoch: number; readonly upstream: string; readonly revision: string };

const partsOf = (version: string): Parts => {
  const colon = version.indexOf(":");
  const rest = colon === -1 ? version : version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return {
    epoch: colon === -1 ? 0 : Number(version.slice(0, colon)),
    upstream: dash === -1 ? rest : rest.slice(0, dash),
    revision: dash === -1 ? "" : rest.slice(dash + 1),
  };
};

/** A tilde comes before the end, the end before letters, letters before all else. */
const weightOf = (character: string | undefined): number => {
  if (character === undefined || /[0-9]/.test(character)) return 0;
  if (character === "~") return -1;
  const code = character.codePointAt(0) ?? 0;
  return /[a-z]/i.test(character) ? code : code + 256;
};

const compareDigits = (a: string, b: string): number => {
  const [left, right] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
};

const comparePart = (a: string, b: string): number => {
  let [left, right] = [a, b];
  while (left !== "" || right !== "") {
    const [letters = ""] = /^\D*/.exec(left) ?? [];
    const [otherLetters = ""] = /^\D*/.exec(right) ?? [];
    for (let at = 0; at < Math.max(letters.length, otherLetters.length); at++) {
      const difference = weightOf(letters[at]) - weightOf(otherLetters[at]);
      if (difference !== 0) return difference;
    }
    [left, right] = [left.slice(letters.length), right.slice(otherLetters.length)];
    const [digits = ""] = /^\d*/.exec(left) ?? [];
    const [otherDigits = ""] = /^\d*/.exec(right) ?? [];
    const difference = compareDigits(digits, otherDigits);
    if (difference !== 0) return difference;
    [left, right] = [left.slice(digits.length), right.slice(otherDigits.length)];
  }
  return 0;
};

/** @returns below, at or above zero, as `a` is older than, equal to or newer than `b` */
export const compareDebianVersions = (a: string, b: string): number => {
  const [left, right] = [partsOf(a), partsOf(b)];
  return (
    left.epoch - right.epoch || comparePart(left.upstream, right.upstream) || comparePart(left.revision, right.revision)
  );
};
