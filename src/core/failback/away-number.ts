/**
 * The number in the names of what is put away elsewhere. Runs there are counted by another journal, whose run 7 may once have given `shop_old7` and may
 * still drop it: a number of this journal could be one of theirs. So it is made of the uid of the run that led there, far above what anybody counts to.
 */
export const awayNumber = (runUid: string): number => 1_000_000 + Number.parseInt(runUid.slice(0, 7), 16);
