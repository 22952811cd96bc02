/** How the server of a data folder is started by people. */
import { z } from "zod";
import { startRecordOf } from "../../platform/folder-server/start-record.ts";

export const clusterStart = startRecordOf(z.object({ options: z.string(), log: z.string() }));
