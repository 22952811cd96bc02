/** Answers a word that is no command (or no option) with the right one: another tool's verb by what it does here, a slip by the nearest. */
import { nearestWord } from "../core/declaration/nearest-word.ts";

const notYet = (instead: string) => `not in this version; ${instead}`;

/** `SERVICE` stands for the word that was typed after it. */
const answers: Readonly<Record<string, string>> = {
  restore: "a service: refloat recover SERVICE; a file or table: refloat extract POINT:component:path --to PLACE",
  apply: "refloat recover SERVICE",
  run: "refloat recover SERVICE",
  failover: "refloat recover SERVICE",
  switch: "refloat recover SERVICE",
  cutover: "refloat recover SERVICE",
  backup: "refloat capture SERVICE",
  save: "refloat capture SERVICE",
  dump: "refloat capture SERVICE",
  snapshot: "to take one: refloat capture SERVICE; to list them: refloat points SERVICE",
  snapshots: "refloat points SERVICE",
  backups: "refloat points SERVICE",
  archives: "refloat points SERVICE",
  list: "recovery points: refloat points SERVICE; runs: refloat runs",
  ls: "recovery points: refloat points SERVICE; runs: refloat runs",
  info: "refloat status",
  health: "refloat status",
  preview: "refloat plan SERVICE",
  "dry-run": "refloat plan SERVICE",
  rollback:
    "to put the old side back after a recovery: refloat undo RUN; to go back in time: refloat recover SERVICE --at TIME",
  revert:
    "to put the old side back after a recovery: refloat undo RUN; to go back in time: refloat recover SERVICE --at TIME",
  arm: "refloat rearm SERVICE",
  "re-arm": "refloat rearm SERVICE",
  enable: "refloat rearm SERVICE",
  abort: "refloat cancel RUN",
  stop: "refloat cancel RUN",
  kill: "refloat cancel RUN",
  continue: "refloat resume RUN",
  retry: "refloat resume RUN",
  confirm: "refloat commit RUN",
  finish: "refloat commit RUN",
  history: "refloat runs",
  show: "refloat runs RUN",
  report: "refloat runs RUN",
  check: "the file: refloat validate; sources and targets: refloat validate --live; the vault: refloat verify",
  test: "the file: refloat validate; sources and targets: refloat validate --live; the vault: refloat verify",
  config: "refloat validate",
  create: "a file: refloat init; a vault: refloat vault init",
  setup: "refloat init",
  "repo-create": "refloat vault init",
  version: "refloat --version",
  // Verbs of the design that are not there yet.
  marks: "refloat mark SERVICE",
  tag: "a moment: refloat mark SERVICE NAME; a point: refloat capture SERVICE --tag NAME",
  alert: "refloat notify",
  exporter: "refloat metrics",
  prometheus: "refloat metrics",
  readiness: "refloat ready SERVICE",
  preflight: "refloat ready SERVICE",
  drill: notYet("restore beside live and check, without the cutover: refloat recover SERVICE --no-cutover"),
  runbook: notYet("the plan, step by step: refloat plan SERVICE"),
  audit: notYet("where the time of a run went: refloat runs RUN"),
  serve: notYet("captures are scheduled by cron or a systemd timer: refloat capture SERVICE"),
  worker: notYet("Refloat works on the machine it is started on"),
  keys: "refloat vault keys",
  escrow: "refloat vault escrow",
  passwd: "refloat vault keys",
  locks: "refloat vault locks",
  unlock: "refloat vault locks",
  copy: "refloat vault copy --to URL",
  forget: "points expire by keep: of their service: refloat vault prune",
  prune: "refloat vault prune",
  expire: "refloat vault prune",
  delete: "points expire by keep: of their service: refloat vault prune",
  hold: "refloat points SERVICE --hold POINT --reason TEXT",
};

export const answeredWords: readonly string[] = Object.keys(answers);

/** @param next the word after it, when there is one: most likely the service */
export const answerUnknownCommand = (word: string, next: string | null, commands: readonly string[]): string | null => {
  const known = Object.hasOwn(answers, word.toLowerCase()) ? answers[word.toLowerCase()] : undefined;
  if (known !== undefined) return next === null ? known : known.replaceAll(/SERVICE|RUN/g, next);
  const near = nearestWord(word, commands) ?? nearestWord(word, Object.keys(answers));
  if (near === undefined) return null;
  return commands.includes(near) ? `did you mean "${near}"?` : answerUnknownCommand(near, next, commands);
};

export const answerUnknownOption = (flag: string, flags: readonly string[]): string | null => {
  const aliases: Readonly<Record<string, string>> = {
    "--dry-run": "refloat plan shows what would be done and changes nothing",
    "--force": "what needs a yes takes --yes; a loss takes --accept-loss",
    "-f": "what needs a yes takes --yes; a loss takes --accept-loss",
    "-y": 'did you mean "--yes"?',
    "--quiet": "progress goes to standard error: 2>/dev/null",
    "-q": "progress goes to standard error: 2>/dev/null",
    "-v": 'did you mean "--verbose"?',
    "-c": 'did you mean "--config"?',
    "--time": 'did you mean "--at"?',
    "--target-time": 'did you mean "--at"?',
    "--point": "--at takes the id of a point too",
    "--snapshot": "--at takes the id of a point too",
    "--component": 'did you mean "--only"?',
    "--no-confirm": 'did you mean "--yes"?',
  };
  const known = Object.hasOwn(aliases, flag) ? aliases[flag] : undefined;
  if (known !== undefined) return known;
  const near = nearestWord(flag, flags);
  return near === undefined ? null : `did you mean "--${near}"?`;
};
