/**
 * Faults on demand, for tests only: `REFLOAT_FAULT=kill-before:7` ends this process by SIGKILL just before the run's event 7 is
 * committed, `kill-after:7` just after it, before anybody hears of it. Without the variable nothing of this acts. A word that
 * is not understood is refused, so that a test with a misspelt fault does not pass.
 */
import { RefloatError } from "../model/refloat-error.ts";

export type FaultPoint = {
  readonly beforeCommit: (sequence: number) => void;
  readonly afterCommit: (sequence: number) => void;
};

export const noFault: FaultPoint = { beforeCommit: () => undefined, afterCommit: () => undefined };

/** @param text `kill-before:SEQUENCE` or `kill-after:SEQUENCE` */
export const parseFault = (text: string): FaultPoint => {
  const match = /^kill-(before|after):([1-9]\d*)$/.exec(text);
  if (match === null)
    throw new RefloatError("usage", `REFLOAT_FAULT is not kill-before:SEQUENCE or kill-after:SEQUENCE: "${text}"`);
  const at = Number(match[2]);
  const strike = (sequence: number): void => {
    if (sequence === at) process.kill(process.pid, "SIGKILL");
  };
  return match[1] === "before" ? { ...noFault, beforeCommit: strike } : { ...noFault, afterCommit: strike };
};

export const readFaultPoint = (): FaultPoint => {
  const text = process.env["REFLOAT_FAULT"];
  return text === undefined || text === "" ? noFault : parseFault(text);
};
