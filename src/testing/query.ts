/** One question to a test server, on a connection of its own. */
import { Client } from "pg";

export const withClient = async <Result>(url: string, act: (client: Client) => Promise<Result>): Promise<Result> => {
  const client = new Client({ connectionString: url });
  // Tests end servers and sessions on purpose; the failing query reports it, the event would end the process.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end().catch(() => undefined);
  }
};

export const query = async <Row = Record<string, unknown>>(url: string, sql: string): Promise<Row[]> =>
  withClient(url, async (client) => (await client.query(sql)).rows as Row[]);
