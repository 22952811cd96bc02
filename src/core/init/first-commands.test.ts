import { expect, test } from "vitest";
import type { FoundPostgres } from "./machine-findings.ts";
import { firstCommands } from "./first-commands.ts";
import { proposeServices } from "./propose-services.ts";

const server: FoundPostgres = {
  port: 5433,
  socketDirectory: "/tmp/it's here",
  tcp: false,
  version: "15.18",
  databases: [
    { name: "notes", owner: "notes", sizeBytes: 1 },
    { name: "shop", owner: "Shop's", sizeBytes: 1 },
  ],
  missingRole: "root",
  problem: null,
};

const propose = (changes: Partial<FoundPostgres>) =>
  proposeServices({
    hostname: "web-1",
    postgres: [{ ...server, ...changes }],
    processes: [],
    haproxy: [],
    takenPorts: [],
    gaps: [],
  }).services;

test("a server without the role gets it once, as a member of the owners of what is proposed", () => {
  expect(firstCommands(propose({}))).toEqual([
    {
      why: "PostgreSQL on port 5433 has no role root",
      command: String.raw`sudo -u postgres createuser -h '/tmp/it'\''s here' -p 5433 --createdb -g pg_read_all_data -g pg_signal_backend -g pg_read_all_settings -g 'Shop'\''s' -g notes root`,
    },
  ]);
  const [notes] = propose({ port: 5432, socketDirectory: "/var/run/postgresql" });
  expect(firstCommands(notes === undefined ? [] : [notes])[0]?.command).toBe(
    "sudo -u postgres createuser --createdb -g pg_read_all_data -g pg_signal_backend -g pg_read_all_settings -g notes root",
  );
});

test("nothing comes first where the role is there or the url names another", () => {
  expect(firstCommands(propose({ missingRole: null }))).toEqual([]);
  expect(firstCommands(propose({ socketDirectory: null, tcp: true }))).toEqual([]);
});
