/** The file that says where a timeline parts from the one before it: `00000003.history`, in pg_wal and in archives. */
export const historyName = (timeline: number): string =>
  `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;
