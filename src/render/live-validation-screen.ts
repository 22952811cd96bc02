/** What `validate --live` found: who answers, what exactly a capture and a recovery will run, the rights that they need, and what to mend. */
import type { PreflightReport } from "../core/ports/driver.ts";
import { formatAmount } from "../core/text/quantity.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type LiveValidationData = {
  readonly ok: boolean;
  readonly subjects: readonly {
    readonly service: string;
    readonly subject: string;
    readonly report: PreflightReport;
  }[];
};

export const renderLiveValidation = ({ ok, subjects }: LiveValidationData, screen: Screen): string => {
  const services = [...new Set(subjects.map(({ service }) => service))];
  const faults = subjects.flatMap(({ report }) => report.findings).filter((finding) => !finding.ok).length;
  return lines(
    services.flatMap((service) => [
      screen.paint("bold", service),
      ...subjects
        .filter((entry) => entry.service === service)
        .flatMap(({ subject, report }) => section(subject, report, screen)),
    ]),
    ok
      ? `${screen.paint("green", "all answer")}: a capture and a recovery find what they need`
      : screen.paint("red", `${formatAmount(faults, "faults")} to mend`),
    nextLine(screen, ok ? `refloat capture ${services[0] ?? ""}`.trimEnd() : "refloat validate --live"),
  );
};

const section = (
  subject: string,
  { findings, commands, recoveryCommands, grants }: PreflightReport,
  screen: Screen,
): readonly string[] => [
  ...findings.flatMap(({ ok, subject: asked, found, hint, nextCommand }) => {
    const word = ok ? "  ok    " : "  FAULT ";
    const named = asked === subject ? asked : `${subject}: ${asked}`;
    return [
      ...hanging(word, `${named}: ${found}`, screen).map((line, index) =>
        index === 0 ? screen.paint(ok ? "green" : "red", word) + line.slice(word.length) : line,
      ),
      ...(hint === undefined ? [] : hanging("        hint: ", hint, screen)),
      // Uncut, as it is to be copied.
      ...(nextCommand === undefined ? [] : [`        ${nextLine(screen, nextCommand)}`]),
    ];
  }),
  ...listed(`  a capture runs for ${subject}`, commands),
  ...listed(`  a recovery runs for ${subject}`, recoveryCommands),
  ...listed("  the least rights that suffice", grants),
];

/** Uncut and unwrapped: to be copied. */
const listed = (title: string, entries: readonly string[]): readonly string[] =>
  entries.length === 0
    ? []
    : [`${title}:`, ...entries.flatMap((entry) => entry.split("\n").map((line) => `    ${line}`))];
