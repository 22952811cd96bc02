/** What a report of writes comes to for an undo: what was taken, and what could not be looked at and may have been. */
import type { WriteReport } from "../ports/driver.ts";

/** Those that were written to. */
export const writtenUnits = ({ units }: Pick<WriteReport, "units">): WriteReport["units"] =>
  units.filter(({ added, changed, removed, uncounted }) => added + changed + removed > 0 || uncounted === true);

export const hasWrites = (report: WriteReport): boolean => writtenUnits(report).length > 0;

/** Not knowing is no proof that nothing was written: a gap counts as a loss that is possible. */
export const mayHaveWrites = (report: WriteReport): boolean => hasWrites(report) || report.gaps.length > 0;
