/** Entry of the process that opens SQLite databases for the `sqlite` driver. */
import { serveTask } from "./drivers/sqlite/program/serve-task.ts";

await serveTask();
