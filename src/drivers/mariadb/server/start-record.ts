/** What is remembered beside a data folder: how its server is started, and of which instance it goes on with the data. */
import { z } from "zod";
import { startRecordOf } from "../../../platform/folder-server/start-record.ts";
import { countsSchema, serverStartSchema } from "./captured-server.ts";

export const serverRecord = startRecordOf(
  z.object({
    start: serverStartSchema.nullable(),
    /** The switch itself has ended the server that was behind the name, by a signal that it writes all of its pages at. */
    wasShutDown: z.boolean().default(false),
    continues: z
      .object({
        /** Life of the instance's process, and what it had counted at its end. */
        from: z.string(),
        counts: countsSchema,
        /** Of the first server behind the name; null until that runs. */
        life: z.string().nullable(),
      })
      .nullable(),
  }),
);
