/** The journal's thread. */
import { parentPort, workerData } from "node:worker_threads";
import { type JournalCall, type JournalThreadData, serveJournal } from "./journal/journal-protocol.ts";
import { readFaultPoint } from "./platform/fault-point.ts";

const port = parentPort;
if (port === null) throw new Error("journal-worker is a worker thread, it is not run by itself");

const serve = serveJournal(workerData as JournalThreadData, readFaultPoint(), (answer) => port.postMessage(answer));
port.on("message", (call: JournalCall) => serve(call));
