import { join } from "node:path";
import { openJournal } from "../../src/journal/open-journal.ts";
import { openInThreadJournal } from "../../src/testing/in-thread-journal.ts";
import { describeJournalContract } from "../../src/testing/journal-contract.ts";

describeJournalContract("SQLite in its own thread", (folder) => openJournal(join(folder, "journal.db")));
describeJournalContract("SQLite in the caller's thread", async (folder) =>
  openInThreadJournal(join(folder, "journal.db")),
);
