/** The tables of the journal, as numbered migrations: add one at the end, never edit one that was published. */
import type { Migrations } from "../platform/sqlite.ts";

export const journalMigrations: Migrations = [
  `
  -- Plans that were shown. One document per digest: the one that was shown last.
  CREATE TABLE shown_plan (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    digest   TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL
  ) STRICT;

  CREATE TABLE run (
    number      INTEGER PRIMARY KEY,
    uid         TEXT NOT NULL UNIQUE,
    -- The number that all which the run made bears; another one than number when a copy came from elsewhere.
    made_as     INTEGER NOT NULL,
    service     TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    digest      TEXT NOT NULL,
    state       TEXT NOT NULL,
    direction   TEXT NOT NULL,
    message     TEXT,
    epoch       INTEGER NOT NULL,
    began_at    TEXT NOT NULL,
    ended_at    TEXT,
    incident_at TEXT
  ) STRICT;
  CREATE INDEX run_by_service ON run (service, number);

  -- The plan as it was shown for this run, forecast included.
  CREATE TABLE run_plan (
    run      INTEGER PRIMARY KEY REFERENCES run (number),
    document TEXT NOT NULL
  ) STRICT;

  CREATE TABLE step (
    run         INTEGER NOT NULL REFERENCES run (number),
    id          TEXT NOT NULL,
    position    INTEGER NOT NULL,
    state       TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    intent      TEXT,
    output      TEXT,
    error       TEXT,
    began_at    TEXT,
    ended_at    TEXT,
    duration_ms REAL NOT NULL,
    PRIMARY KEY (run, id)
  ) STRICT, WITHOUT ROWID;

  -- Append only. Each hash covers the one before it: event-chain.ts.
  CREATE TABLE event (
    run      INTEGER NOT NULL REFERENCES run (number),
    sequence INTEGER NOT NULL,
    document TEXT NOT NULL,
    hash     TEXT NOT NULL,
    PRIMARY KEY (run, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER event_is_final BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
  `,
  `
  -- What ties runs of several services that were begun together, as JSON; null for a run alone.
  ALTER TABLE run ADD COLUMN joint TEXT;
  `,
];
