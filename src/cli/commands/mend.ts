/** mend: rows back from a point into what is live. */
import { z } from "zod";
import type { Workbench } from "../../core/ports/workbench.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { mendedRowsSchema, rowsPutBack, type MendDirection } from "../../model/mend.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Mend, applyMend, proposeMend, readProposal } from "../../operations/mend.ts";
import {
  renderMended,
  renderNothingToMend,
  renderProposal,
  renderTakingBack,
  shortDigest,
} from "../../render/mend-screen.ts";
import { nextLine } from "../../render/screen.ts";
import { type CommandContext, type CommandResult, answer, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput, splitList } from "../words.ts";

const digestInput = z
  .string()
  .regex(/^[0-9a-f]{4,64}$/, "a proposal is named by its digest, or the first characters of it")
  .nullable()
  .default(null);

/** `db:products`: all of one component. */
const tablesInput = splitList.transform((places, context) => {
  const parts = places.map((place) => /^(?<component>[^:]+):(?<table>.+)$/.exec(place)?.groups);
  const components = [...new Set(parts.map((part) => part?.["component"] ?? ""))];
  if (parts.some((part) => part === undefined)) {
    context.addIssue("--only names tables of a component: --only db:products");
    return null;
  }
  if (components.length > 1) {
    context.addIssue(`one transaction is of one component: ${components.join(" and ")} are two`);
    return null;
  }
  const [component] = components;
  if (component === undefined) return null;
  return { component, tables: parts.map((part) => part?.["table"] ?? "") };
});

const mendInput = z
  .object({
    service: serviceInput,
    at: z.string().nullable().default(null),
    only: tablesInput,
    where: z.string().trim().min(1, '--where needs a condition: --where "id = 42"').nullable().default(null),
    columns: splitList,
    rows: splitList.pipe(z.array(mendedRowsSchema)),
    triggers: z.boolean().default(true),
    apply: z.boolean().default(true),
    proposal: digestInput,
    undo: digestInput,
  })
  .refine(
    ({ only, proposal, undo }) => [only, proposal, undo].filter((one) => one !== null).length === 1,
    "mend needs one of --only COMPONENT:TABLE, --proposal DIGEST and --undo DIGEST",
  )
  .refine(
    ({ only, at, where, columns, rows, triggers, apply }) =>
      only !== null ||
      (at === null && where === null && columns.length === 0 && rows.length === 0 && triggers && apply),
    "what was proposed is done as it was shown: --at, --where, --columns, --rows, --no-triggers and --no-apply were decided with it",
  )
  .refine(
    ({ only, where }) => where === null || only === null || only.tables.length === 1,
    "--where is a condition on the rows of one table",
  );
type MendInput = z.infer<typeof mendInput>;

export const mendCommand = defineCommand({
  name: "mend",
  group: "Just one thing",
  summary: "put single rows or keys back from a point, as a reviewed script, and nothing else",
  about: [
    "Compares tables of a recovery point with the live ones by key, and shows what differs, what is gone and what came since. What differs or is gone is put " +
      "back, all or nothing, in one transaction; what came since is left alone. Where a row that comes back refers to a row that is gone too, that one comes " +
      "along. Nothing else of the service is touched, nothing is stopped.",
    "The SQL is written to a file before anybody is asked, with the statements that take it back beside it. Each statement names its rows as they were compared: " +
      "if somebody has written one since, nothing at all is done. SQL can also be run by the stock client, psql or mariadb; of keys the file says what is put back, and Refloat alone does it.",
    "Of a whole server's capture (postgres-cluster, mariadb-server) the rows are read by a temporary server of no more than they need, made in TMPDIR and removed; with --at it goes on by the " +
      "received log to that moment. It is asked of one database at a time.",
    "Of a redis component --only names keys, or a pattern of them as refloat browse takes it: cache:user:42, cache:'session:*', cache:'db1/*'; a comma is \\x2c. They are compared by what their values are and by " +
      "the time at which they end, and put back by RESTORE in one MULTI that WATCHes each of them; keys that are only live are left alone, and those whose time is over stay out. " +
      "Of an etcd component it is config:/app/price or config:'/app/*': compared by their values, put back in one transaction that compares the revision of each.",
    "Needs the right to write to those tables, to make temporary ones, and a key: a primary key, or a unique index without nulls.",
  ],
  arguments: [serviceArgument],
  options: [
    {
      name: "only",
      value: "COMPONENT:TABLE",
      repeatable: true,
      about:
        "the tables, as refloat browse lists them: db:products, db:audit.log; of a whole server as extract names them: db:bench/products; of redis and etcd keys: cache:'user:*', config:'/app/*'",
    },
    { name: "at", value: "TIME", about: "the point, as for refloat plan; the newest when left out" },
    {
      name: "where",
      value: "CONDITION",
      about: 'only rows that fit, as the point has them, in SQL: "id = 42", "price > 0"',
    },
    {
      name: "columns",
      value: "A,B",
      repeatable: true,
      about: "of rows that differ, put back only these columns",
    },
    {
      name: "rows",
      value: "KIND",
      repeatable: true,
      about: "changed or gone; both when left out",
      completes: ["changed", "gone"],
    },
    {
      name: "no-triggers",
      about: "keep the tables' own triggers from firing (PostgreSQL: the tables are locked meanwhile; MariaDB cannot)",
    },
    { name: "no-apply", about: "write the SQL and stop" },
    { name: "proposal", value: "DIGEST", about: "do exactly what was shown under this digest; asks nothing" },
    { name: "undo", value: "DIGEST", about: "take back what was done under this digest" },
  ],
  examples: [
    { line: 'refloat mend shop --at "before upgrade 2.5.0" --only db:products --columns price', about: "a column" },
    { line: 'refloat mend shop --only db:orders --where "id = 4711"', about: "one row, and what it refers to" },
    { line: "refloat mend shop --only db:orders,db:order_items --rows gone", about: "what was deleted" },
    { line: "refloat mend shop --only cache:'session:*' --rows gone", about: "keys that were deleted" },
    { line: "refloat mend shop --undo 4c1e90ab", about: "the way back" },
  ],
  exits: [3, 4, 7],
  input: mendInput,
  act: async (input, context) => {
    const bench = await context.bench();
    const direction: MendDirection = input.undo === null ? "mend" : "undo";
    const mend = await during(context.output, bench.clock, "comparing", () => found(input, bench, context));
    const screen = context.output.screen(bench.host.timeZone);
    context.output.say(direction === "mend" ? renderProposal(mend, screen) : renderTakingBack(mend, screen));
    const tell = (applied: boolean, text: string): CommandResult =>
      answer("mend", { service: mend.service, component: mend.component, direction, applied, ...mend.proposal }, text);
    if (mend.proposal.script === null) return tell(false, renderNothingToMend(mend, screen));
    const nextCommand = `refloat mend ${mend.service} --proposal ${shortDigest(mend.proposal.digest)}`;
    if (!input.apply) return tell(false, nextLine(screen, nextCommand));
    if (input.proposal === null) {
      await requireYes(context, {
        question: `${direction === "mend" ? "Put" : "Take"} ${formatAmount(rowsPutBack(mend.proposal), mend.proposal.unit ?? "rows")} back now?`,
        unasked: "it changes what is live",
        nextCommand:
          direction === "mend" ? nextCommand : `refloat mend ${mend.service} --undo ${input.undo ?? ""} --yes`,
      });
    }
    await during(context.output, bench.clock, "writing", () => applyMend(bench, mend, direction, context.signal));
    return tell(true, renderMended(mend, direction, screen));
  },
});

const found = async (input: MendInput, bench: Workbench, { signal }: CommandContext): Promise<Mend> => {
  const { service, only, at, where, columns, rows, triggers, proposal, undo } = input;
  const digest = proposal ?? undo;
  if (digest !== null)
    return readProposal(bench, { service, digest, direction: undo === null ? "mend" : "undo" }, signal);
  // The form of the input has seen to it that one of them is there.
  if (only === null) throw new RefloatError("bug", "mend was given neither tables nor a proposal");
  return proposeMend(
    bench,
    {
      service,
      ...only,
      at,
      where,
      columns: columns.length === 0 ? null : columns,
      rows: rows.length === 0 ? mendedRowsSchema.options : rows,
      fireTriggers: triggers,
      again: (moment) => againLine(input, only, moment),
    },
    signal,
  );
};

/** The same comparison once more, of the same moment, as it is typed. */
const againLine = (
  { service, where, columns, rows, triggers }: MendInput,
  { component, tables }: NonNullable<MendInput["only"]>,
  at: string,
): string =>
  [
    "refloat mend",
    shellWord(service),
    "--at",
    shellWord(at),
    "--only",
    shellWord(tables.map((table) => `${component}:${table}`).join(",")),
    ...(where === null ? [] : ["--where", shellWord(where)]),
    ...(columns.length === 0 ? [] : ["--columns", shellWord(columns.join(","))]),
    ...(rows.length === 0 ? [] : ["--rows", rows.join(",")]),
    ...(triggers ? [] : ["--no-triggers"]),
  ].join(" ");
