/**
 * What in the databases of a restored cluster would act by itself: subscriptions that are enabled, jobs of pg_cron that are active. Asked of the instance,
 * which by its private socket lets everybody in, as the role that owns the cluster: a job is seen by its own user alone.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { type SessionOptions, withSession } from "../../../platform/postgres/session.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { instanceSocketTarget } from "../instance-server.ts";
import { withCluster } from "../locations.ts";
import { type CronJob, type Subscription, allJobs } from "./disarm-record.ts";

export type ActingObjects = { readonly subscriptions: readonly Subscription[]; readonly jobs: readonly CronJob[] };

const databasesSql = "select datname as name from pg_database where datallowconn order by 1";

/** Made by initdb; it is there whatever it is called. */
const ownerSql = "select rolname as name from pg_roles where oid = 10 and rolcanlogin";

const subscriptionsSql = `
  select d.datname as database, s.subname as name, s.subslotname as slot
    from pg_subscription s join pg_database d on d.oid = s.subdbid where s.subenabled order by 1, 2`;

const hasJobsSql = "select from pg_extension where extname = 'pg_cron'";

/** Names of jobs came with pg_cron 1.3. */
const jobsSql = `
  select current_database() as database, jobid::text as id, to_jsonb(j) ->> 'jobname' as name, schedule
    from cron.job j where active order by jobid`;

const jobsIn = async (asked: SessionOptions, database: string, seesAll: boolean): Promise<readonly CronJob[]> =>
  withSession({ ...asked, database }, async (session) => {
    if ((await session.query(hasJobsSql)).length === 0) return [];
    return seesAll
      ? session.query<CronJob>(jobsSql)
      : [{ database, id: allJobs, name: null, schedule: "times that only their users may see" }];
  });

/** @param folder of an instance whose server runs */
export const readActingObjects = async (context: ClusterContext, folder: string): Promise<ActingObjects> => {
  const target = await instanceSocketTarget(context, folder);
  const owner = await withCluster(context, target, "target", (session) => session.query<{ name: string }>(ownerSql));
  const user = owner[0]?.name ?? null;
  return withCluster(context, { ...target, user: user ?? target.user }, "target", async (session, asked) => {
    const subscriptions = await session.query<Subscription>(subscriptionsSql);
    const jobs: CronJob[] = [];
    for (const { name } of await session.query<{ name: string }>(databasesSql)) {
      try {
        jobs.push(...(await jobsIn(asked, name, user !== null)));
      } catch (error) {
        context.signal.throwIfAborted();
        // One that lets nobody in fails the validation, which names it.
        if (!(error instanceof RefloatError)) throw error;
      }
    }
    return { subscriptions, jobs };
  });
};
