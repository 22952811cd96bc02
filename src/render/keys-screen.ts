/** The keys of a vault: who made them, when, and which opened it now. */
import type { AddedKey, VaultKey } from "../core/ports/vault-keys.ts";
import { shortId } from "../model/identifiers.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type KeysView = {
  /** A recovery key that was just drawn: shown this once. */
  readonly shown: string | null;
  /** What was changed, in a person's words. */
  readonly done: string | null;
  /** Of a key that was added. */
  readonly lock: AddedKey["lock"];
  readonly notLocked: string | null;
  /** ISO 8601. */
  readonly now: string;
};

export const renderKeys = (keys: readonly VaultKey[], view: KeysView, screen: Screen): string => {
  const { shown, done, now } = view;
  return lines(
    ...(done === null ? [] : [done, ...describeLock(view, screen), ""]),
    ...(shown === null
      ? []
      : [
          "Print this and keep it apart from the machines. It opens the whole vault, and is not shown again:",
          "",
          `    ${screen.paint("bold", shown)}`,
          "",
        ]),
    renderTable(
      [{ title: "KEY" }, { title: "MADE" }, { title: "BY" }, { title: "" }],
      keys.map(({ id, createdAt, username, hostname, current }) => [
        shortId(id),
        formatTime(new Date(createdAt).toISOString(), now, screen.timeZone),
        `${username}@${hostname}`,
        current ? "opened this session" : "",
      ]),
      screen,
    ),
    ...(keys.length === 1
      ? ["One password opens this vault, and no other: if it is lost, so is all that is in it."]
      : []),
    nextLine(screen, keys.length === 1 ? "refloat vault keys add --recovery" : "refloat log"),
  );
};

const describeLock = ({ lock, notLocked, now }: KeysView, screen: Screen): readonly string[] => {
  if (lock !== null)
    return [`it is locked as the vault is, until ${formatTime(lock.until, now, screen.timeZone)}, ${lock.mode}`];
  return notLocked === null
    ? []
    : hanging(
        "WARNING ",
        `it has no lock before the next capture that locks: whoever may delete in the vault can take it away: ${notLocked}`,
        screen,
      );
};
