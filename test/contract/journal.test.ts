import { join } from "node:path";
import { openJournal } from "../../src/journal/open-journal.ts";
import { openInThreadJournal } from "../../src/testing/in-thread-journal.ts";
import { type OpenJournal, describeJournalContract } from "../../src/testing/journal-contract.ts";
import { describeJointJournal } from "../../src/testing/journal-joint-contract.ts";
import { describeUndoRuns } from "../../src/testing/journal-undo-contract.ts";

const inItsOwnThread: OpenJournal = (folder) => openJournal(join(folder, "journal.db"));
const inTheCallers: OpenJournal = async (folder) => openInThreadJournal(join(folder, "journal.db"));

describeJournalContract("SQLite in its own thread", inItsOwnThread);
describeJournalContract("SQLite in the caller's thread", inTheCallers);
describeUndoRuns("SQLite in its own thread", inItsOwnThread);
describeUndoRuns("SQLite in the caller's thread", inTheCallers);
describeJointJournal("SQLite in its own thread", inItsOwnThread);
describeJointJournal("SQLite in the caller's thread", inTheCallers);
