/** What tests of the MariaDB driver share: contexts for a database of a test server, captures in a folder, comparison by stock mariadb-dump. */
import { mkdir } from "node:fs/promises";
import { captureMariadb } from "../drivers/mariadb/capture.ts";
import type { MariadbContext, MariadbOptions } from "../drivers/mariadb/mariadb-options.ts";
import { mariadbBundle } from "../drivers/mariadb/mariadb-bundle.ts";
import type { ComponentDriver } from "../core/ports/driver.ts";
import type { CaptureSink } from "../core/ports/vault-snapshots.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "../platform/subprocess.ts";
import { createDirectorySink } from "./directory-vault.ts";
import { createTestContext } from "./driver-context.ts";
import type { MariadbServer } from "./mariadb-server.ts";

const driverOf = (): ComponentDriver => {
  const [driver] = mariadbBundle.components;
  if (driver === undefined) throw new RefloatError("bug", "the bundle has no driver");
  return driver;
};
export const mariadbDriver = driverOf();

export const mariadbContext = (
  server: MariadbServer,
  database: string,
  folder: string,
  more: Partial<MariadbOptions> & { readonly user?: string; readonly values?: Readonly<Record<string, string>> } = {},
): MariadbContext => {
  const { user, values, ...options } = more;
  return createTestContext<MariadbOptions>({
    options: { url: server.url(database, user), ...options },
    folder,
    component: "db",
    ...(values === undefined ? {} : { values }),
  });
};

/** Captures into `folder`, which is made. @param around what is to happen while it goes on */
export const captureMariadbInto = async (
  context: MariadbContext,
  folder: string,
  around: (sink: CaptureSink) => CaptureSink = (sink) => sink,
): Promise<CapturedComponent> => {
  await mkdir(folder, { recursive: true });
  const report = await captureMariadb(context, around(createDirectorySink(folder)), null);
  return {
    name: "db",
    driver: "mariadb",
    snapshot: "0".repeat(64) as SnapshotId,
    path: report.path,
    facts: report.facts,
    sizeBytes: report.facts.sizeBytes,
    newBytes: report.facts.sizeBytes,
    window: report.window,
    consistency: report.consistency,
    finishedAt: report.window.endAt,
    warnings: report.warnings,
  };
};

/** Definitions and rows of a database as the stock mariadb-dump sees them, with views, routines and triggers, without our own table. */
export const readMariadbContent = async (server: MariadbServer, database: string): Promise<string> => {
  const marks = (
    await server.sql(
      `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${database}' AND TABLE_NAME LIKE 'refloat%'`,
    )
  )
    .split("\n")
    .filter((name) => name !== "");
  const { stdout } = await runProgram(
    "mariadb-dump",
    [
      "--no-defaults",
      "--user=root",
      `--socket=${server.directory}/s`,
      "--skip-dump-date",
      "--skip-extended-insert",
      "--hex-blob",
      "--routines",
      "--triggers",
      "--skip-comments",
      ...marks.map((name) => `--ignore-table=${database}.${name}`),
      database,
    ],
    { signal: new AbortController().signal },
  );
  return stdout;
};

/** What makes a driver work: keys between tables, rows of all sorts, views that build upon each other, code of every kind. */
export const shopScript = `
CREATE TABLE customers (
  id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL, note TEXT, picture BLOB,
  letters INT AS (CHAR_LENGTH(name)) STORED, UNIQUE KEY by_name (name)
) COMMENT='it''s\\na comment';
CREATE TABLE orders (
  id INT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, total DECIMAL(10,2), made TIMESTAMP(6) NULL,
  CONSTRAINT fk_customer FOREIGN KEY (customer) REFERENCES customers (id)
);
CREATE TABLE parts (id INT PRIMARY KEY, name VARCHAR(20)) PARTITION BY RANGE (id) (
  PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE \`log of it\` (message TEXT);
CREATE SEQUENCE numbers START WITH 100;
INSERT INTO customers (name, note, picture) VALUES
  ('ann', 'x\\ny -- \\'quoted\\'\\n-- Table structure for table \`nothing\`\\n', 0x0001ff27),
  ('bob', NULL, NULL), ('\u{1F600} caf\u{e9}', '),(', ''), ('', '\\\\', '\\'');
INSERT INTO orders (customer, total, made) VALUES (1, 10.5, '2026-01-02 03:04:05.678901'), (2, NULL, NULL), (1, 0, NULL);
INSERT INTO parts VALUES (1, 'one'), (11, 'eleven');
INSERT INTO \`log of it\` VALUES ('begin'), ('begin');
SELECT NEXTVAL(numbers);
DELIMITER //
CREATE FUNCTION tax(amount DECIMAL(10,2)) RETURNS DECIMAL(10,2) DETERMINISTIC RETURN amount * 0.2//
CREATE PROCEDURE clean() COMMENT 'it''s' BEGIN -- a comment; with a semicolon
  DELETE FROM \`log of it\` WHERE message = 'never';
END//
CREATE TRIGGER \`orders_logged\` AFTER INSERT ON \`orders\` FOR EACH ROW BEGIN
  INSERT INTO \`log of it\` VALUES (CONCAT('order ', NEW.id));
  SET @said = 'it\\'s \\\\ \u{1F600}';
END//
CREATE EVENT forget_old ON SCHEDULE EVERY 1 DAY DO DELETE FROM \`log of it\` WHERE message = 'old'//
CREATE EVENT asleep ON SCHEDULE EVERY 1 HOUR DISABLE DO SELECT 1//
DELIMITER ;
CREATE VIEW z_spent AS SELECT customer, SUM(total) AS spent FROM orders GROUP BY customer;
CREATE VIEW a_totals AS SELECT c.name, o.spent, tax(o.spent) AS taxed FROM z_spent o JOIN customers c ON c.id = o.customer;
`;
