/** The escrow bundles of a vault, and what is in the one whose key was given. Never a secret itself. */
import type { EscrowListing, EscrowView } from "../core/escrow/escrow-view.ts";
import { formatAmount, formatBytes } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type EscrowShown = {
  /** A key that was just drawn: shown this once. */
  readonly shown: string | null;
  /** ISO 8601. */
  readonly now: string;
};

export const renderEscrow = (view: EscrowView, { shown, now }: EscrowShown, screen: Screen): string => {
  const { location, bundles, contents, missing, target } = view;
  if (bundles.length === 0)
    return lines(
      `the vault at ${location} holds no escrow bundle`,
      hanging(
        "",
        "points hold references to secrets, never the secrets: what a recovery needs of them has to come from somewhere",
        screen,
      ),
      nextLine(screen, "refloat vault escrow seal"),
    );
  return lines(
    shown === null
      ? []
      : [
          "Print this and keep it apart from the vault's password. It opens the bundle, and is not shown again:",
          `    ${screen.paint("bold", shown)}`,
        ],
    contents === null ? [] : describeContents(contents, target, screen),
    missing.flatMap((why) => hanging(screen.paint("yellow", "left out  "), why, screen)),
    renderTable(
      [
        { title: "BUNDLE" },
        { title: "SEALED" },
        { title: "ON" },
        { title: "SECRETS", align: "right" },
        { title: "SIZE", align: "right" },
        { title: "OPENED BY" },
      ],
      bundles.map(({ id, at, host, secrets, sizeBytes, openedBy }) => [
        shortId(id),
        formatTime(new Date(at).toISOString(), now, screen.timeZone),
        host,
        String(secrets),
        formatBytes(sizeBytes),
        openedBy === "password" ? "its password" : "a private key",
      ]),
      screen,
    ),
    contents === null ? "what they hold, names too, only their own key shows" : [],
    nextLine(screen, nextCommand(view)),
  );
};

const describeContents = (
  { bundle, items }: EscrowListing,
  target: string | null,
  screen: Screen,
): readonly string[] => [
  `bundle ${shortId(bundle)} holds ${formatAmount(items.length, "secrets")}${target === null ? "" : `; they are in ${target}`}`,
  ...renderTable(
    [{ title: "FILE", wraps: true }, { title: "SIZE", align: "right" }, { title: "WAS READ FROM" }],
    items.map(({ name, source, sizeBytes }) => [name, formatBytes(sizeBytes), `\${${source}}`]),
    screen,
  ),
  ...(target === null
    ? []
    : hanging("", "put each where it is read from, readable by its user only, then remove the folder", screen)),
];

const nextCommand = ({ contents, target }: EscrowView): string => {
  if (target !== null) return "refloat status";
  return contents === null ? "refloat vault escrow list --key-file FILE" : "refloat vault escrow open secrets";
};
