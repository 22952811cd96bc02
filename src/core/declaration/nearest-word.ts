/** The right word for a wrong one: by what other tools call it, by its look, or by where it belongs. */
import { distance } from "fastest-levenshtein";

/** Words of other tools and earlier habits, with what they are here. Only offered where the right word is possible. */
const familiarWords = new Map<string, readonly string[]>(
  Object.entries({
    after: ["dependsOn"],
    backup: ["vault", "schedule"],
    backups: ["vault", "services"],
    bind: ["ports"],
    check: ["checks"],
    cmd: ["start", "command"],
    command: ["start"],
    connection: ["url"],
    connectionstring: ["url"],
    cron: ["schedule"],
    cwd: ["release", "path"],
    dependencies: ["dependsOn"],
    depends: ["dependsOn"],
    dependson: ["dependsOn"],
    destination: ["vault", "url"],
    dir: ["path", "release"],
    directory: ["path", "release"],
    driver: ["type"],
    dsn: ["url"],
    entrypoint: ["start"],
    env: ["environment"],
    exec: ["start", "command"],
    excludes: ["exclude"],
    expected: ["expect"],
    folder: ["path", "release"],
    healthcheck: ["checks", "probe"],
    health: ["checks", "probe"],
    ignore: ["exclude"],
    interval: ["schedule"],
    kind: ["type"],
    launch: ["start"],
    listen: ["ports"],
    location: ["url", "path"],
    migration: ["migrate"],
    migrations: ["migrate"],
    needs: ["dependsOn"],
    owner: ["owners"],
    pass: ["password"],
    passphrase: ["password"],
    passwd: ["password"],
    port: ["ports"],
    pwd: ["password"],
    readinessprobe: ["checks", "probe"],
    reloadcommand: ["reload"],
    repo: ["url", "vault"],
    repository: ["url", "vault"],
    requires: ["dependsOn"],
    retention: ["keep"],
    root: ["path", "release"],
    run: ["start"],
    server: ["haproxy", "socket"],
    shutdown: ["stop"],
    slo: ["objectives"],
    storage: ["vault"],
    target: ["to"],
    test: ["checks"],
    tests: ["checks"],
    traffic: ["cutover"],
    uri: ["url"],
    workdir: ["release", "path"],
    workingdirectory: ["release", "path"],
  }),
);

const plain = (word: string): string => word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

const letters = (word: string): string => word.split("").sort().join("");

/** How many slips of the finger lie between two words; letters in the wrong order are one, and so is a word cut short. */
const slips = (wanted: string, candidate: string): number => {
  if (letters(wanted) === letters(candidate)) return 1;
  if (wanted.length >= 3 && (candidate.startsWith(wanted) || wanted.startsWith(candidate)) && candidate.length >= 3)
    return 1;
  return distance(wanted, candidate);
};

/** Beyond this many slips a word is another word. */
const farthest = ({ length }: string): number => (length < 5 ? 1 : Math.max(2, Math.floor(length / 3)));

/** @returns the candidate that was most likely meant, or undefined when none is near enough to be offered */
export const nearestWord = (word: string, candidates: readonly string[]): string | undefined => {
  const wanted = plain(word);
  const same = candidates.find((candidate) => plain(candidate) === wanted);
  if (same !== undefined) return same;
  let best: string | undefined;
  let bestDistance = farthest(wanted) + 1;
  // Of a word that is cut short and one with a slip in it (mariadb, mariadb-server: mariadb-sever) the one of more common letters was meant.
  let bestLetters = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const found = slips(wanted, plain(candidate));
    const apart = distance(wanted, plain(candidate));
    if (found > bestDistance || (found === bestDistance && (best === undefined || apart >= bestLetters))) continue;
    best = candidate;
    bestDistance = found;
    bestLetters = apart;
  }
  if (best !== undefined && bestDistance === 1) return best;
  return familiarWords.get(wanted)?.find((familiar) => candidates.includes(familiar)) ?? best;
};

/** `did you mean "db"?`, or what there is to choose from. */
export const suggestWord = (word: string, candidates: readonly string[], otherwise: string): string => {
  const nearest = nearestWord(word, candidates);
  return nearest === undefined ? otherwise : `did you mean "${nearest}"?`;
};
