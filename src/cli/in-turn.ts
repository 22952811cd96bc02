/** Lets one act at a time happen, in the order in which they were asked for; one that fails keeps no other one from its turn. */
export const inTurn = (): (<Result>(act: () => Promise<Result>) => Promise<Result>) => {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const mine = last.then(act);
    last = mine.catch(() => undefined);
    return mine;
  };
};
