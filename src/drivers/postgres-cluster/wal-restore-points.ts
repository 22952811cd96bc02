/** The record of WAL that is a named restore point. Form: access/xlog_internal.h of PostgreSQL 13 to 18. */
import { type WalRecord, beforeDataBytes, dataBegin, managerOf, operationOf } from "./wal-records.ts";
import { millisecondsOf } from "./wal-transactions.ts";

const logManager = 0;
const restorePointOperation = 0x70;
const operationBits = 0xf0;

/** With the zero at its end. */
export const restorePointNameBytes = 64;
export const restorePointBytes = beforeDataBytes + 8 + restorePointNameBytes;

export const isRestorePoint = (header: Buffer): boolean =>
  managerOf(header) === logManager && (operationOf(header) & operationBits) === restorePointOperation;

/** @param record of a restore point, `restorePointBytes` of it */
export const readRestorePoint = ({
  head,
}: Pick<WalRecord, "head">): { readonly name: string; readonly atMs: number } | null => {
  const data = dataBegin(head);
  if (data === null) return null;
  const bytes = head.subarray(data + 8, data + 8 + restorePointNameBytes);
  const end = bytes.indexOf(0);
  return {
    name: bytes.subarray(0, end === -1 ? bytes.length : end).toString("utf8"),
    atMs: millisecondsOf(head.readBigInt64LE(data)),
  };
};
