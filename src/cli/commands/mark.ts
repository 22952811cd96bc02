/** mark: names a moment of a service, so that a recovery can go to just before it. */
import { z } from "zod";
import type { FreezeEvent } from "../../core/quiesce/stillness.ts";
import { listMarks, markMoment, unmarkMoment } from "../../operations/mark.ts";
import { renderMarks } from "../../render/marks-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const markCommand = defineCommand({
  name: "mark",
  group: "Every day",
  summary: 'name this moment: mark shop "upgrade 2.5.0"',
  about: [
    'Names a moment of a service, so that refloat plan shop --at "before upgrade 2.5.0" finds the last point from before it: run it just before an upgrade, a migration, a ' +
      "large import. Without a NAME it lists the marks.",
    "Marks lie in the vault, beside the points, and are locked like them: they are there for a recovery from the vault alone, and vault copy carries them. " +
      "A name may be given again; the newest one is then meant. --remove takes a mark back; that it was made stays in the vault and in the audit log.",
    "--aligned ties the logs of several components to one moment: a recovery to before the mark takes each of them exactly to its marker. While quiesce: holds " +
      "the service, by its lines or by a lock that its transactions share, the moment is aligned; else it is approximate, and every plan says so.",
  ],
  arguments: [
    serviceArgument,
    {
      name: "NAME",
      about: "what the moment is called, of one word or several",
      required: false,
      repeats: true,
      completes: null,
    },
  ],
  options: [
    {
      name: "at",
      value: "TIME",
      about: 'the moment that is named: "10 minutes ago", 14:05, 2026-11-20T14:05:00Z; now when left out',
    },
    {
      name: "aligned",
      about:
        "also place a marker in the log of each component (postgres-cluster, mariadb, mariadb-server), while the service is held by its quiesce:",
    },
    {
      name: "remove",
      value: "NAME",
      about: "take a mark back, by its name or the first letters of its id",
      completes: "marks",
    },
  ],
  examples: [
    { line: 'refloat mark shop "upgrade 2.5.0"', about: "just before the upgrade, by hand or in its script" },
    { line: 'refloat mark shop "migration 42" --at 14:21', about: "what was forgotten" },
    {
      line: 'refloat mark shop "evening" --aligned',
      about: "one moment in all logs, for a recovery of all of them to it",
    },
    { line: "refloat mark shop", about: "all marks of shop" },
  ],
  exits: [3, 4, 6],
  input: z
    .object({
      service: serviceInput,
      name: z
        .array(z.string())
        .default([])
        .transform((words) => words.join(" ").trim()),
      at: z.string().nullable().default(null),
      aligned: z.boolean().default(false),
      remove: z.string().trim().min(1, "--remove needs the name of a mark").nullable().default(null),
    })
    .refine(({ name, at }) => at === null || name !== "", "--at is the moment of the mark that is made: give its NAME")
    .refine(
      ({ name, aligned }) => !aligned || name !== "",
      "--aligned places the markers of a mark that is made: give its NAME",
    )
    .refine(({ at, aligned }) => !aligned || at === null, "--aligned marks now: no marker can be placed in the past")
    .refine(({ name, remove }) => remove === null || name === "", "a mark is made or removed, not both"),
  act: async ({ service, name, at, aligned, remove }, { bench: open, output, shell, signal }) => {
    const bench = await open();
    const by = `${shell.userName}@${bench.host.hostname}`;
    const warnings: string[] = [];
    const tell = (event: FreezeEvent): void => {
      if (event.type === "warning") warnings.push(`${event.message}; ${event.hint}; see ${event.nextCommand}`);
    };
    const [added, removed] = await during(
      output,
      bench.clock,
      name === "" ? "reading the vault" : "marking",
      async () => [
        name === ""
          ? null
          : await markMoment(bench, { service, name, at, by, ...(aligned ? { aligned: { signal, tell } } : {}) }),
        remove === null ? null : await unmarkMoment(bench, { service, name: remove, by }),
      ],
    );
    const marks = await listMarks(bench, service);
    const now = bench.clock.now().toISOString();
    const text = renderMarks({ service, marks, added, removed, warnings, now }, output.screen(bench.host.timeZone));
    return answer("mark", { service, marks, added, removed }, text);
  },
});
