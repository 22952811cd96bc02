/**
 * pg_cron in a database that is restored. The server lets it be made in one database only, that of `cron.database_name`, and a restored one has another name until it is
 * switched: so it is left out of a restore, none of its jobs runs in the name of a copy, and whoever recovers is told how they come back.
 */
import { formatAmount } from "../../core/text/quantity.ts";
import type { Facts } from "../../model/facts.ts";
import type { TocEntry } from "./archive-toc.ts";

const extension = "pg_cron";
/** Its own, which it makes itself. */
const schema = "cron";

export const hasScheduler = (extensions: readonly { readonly name: string }[]): boolean =>
  extensions.some(({ name }) => name === extension);

const isExtension = ({ kind, tag }: TocEntry): boolean => kind === "EXTENSION" && tag === extension;

/** Entries that can be restored under any name. */
export const withoutScheduler = (entries: readonly TocEntry[]): readonly TocEntry[] =>
  entries.some(isExtension)
    ? entries.filter(
        (entry) =>
          !isExtension(entry) &&
          entry.schema !== schema &&
          entry.tag !== `EXTENSION ${extension}` &&
          entry.tag !== `SCHEMA ${schema}`,
      )
    : entries;

/** Is it a fact of tables that are left out? @param label as facts name a table */
export const isOfScheduler = (label: string): boolean => label.startsWith(`${schema}.`);

/** Kinds of objects among which the extension and its comment are counted. */
export const kindsOfScheduler: ReadonlySet<string> = new Set(["EXTENSION", "COMMENT"]);

/** @returns what is told of a restored database, or of a point that it is restored from */
export const describeScheduler = ({ units }: Pick<Facts, "units">): string => {
  const jobs = units["cron.job"]?.rows;
  const which = jobs === undefined ? "its jobs" : formatAmount(jobs, "jobs");
  return `${extension} does not come back by a recovery, since the server lets it be made only in the database of cron.database_name: once the recovered database has that name, create extension ${extension} there and schedule ${which} again; refloat extract POINT:COMPONENT:cron.job --csv --stdout shows them`;
};
