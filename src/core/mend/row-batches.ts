/** Rows of one statement of a script: few enough to be read, many enough to be quick, and as many bytes as this and the server hold at ease. Pure. */

const mostRowsOfStatement = 500;

/** Of the values of a statement's rows, as text. One row alone may have more. */
export const mostStatementBytes = 4_194_304;

export function* batchesOf<Row extends { readonly bytes: number }>(
  rows: Iterable<Row>,
  mostBytes: number = mostStatementBytes,
): Generator<readonly Row[]> {
  let batch: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (batch.length === mostRowsOfStatement || (batch.length > 0 && bytes + row.bytes > mostBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(row);
    bytes += row.bytes;
  }
  if (batch.length > 0) yield batch;
}
