/** A port for the server of a restored folder, until it stands at the stable place. */
import { RefloatError } from "../../model/refloat-error.ts";
import { type Finding, finding } from "../postgres/preflight-finding.ts";
import { findPortOwners, isPortOpen } from "../port-owner.ts";
import { readPlaces } from "../process-table.ts";
import { portsIn } from "../port-range.ts";

type Declared = { readonly component: string; readonly options: { readonly ports: string | number } };

const freePortsOf = ({ options }: Declared): readonly number[] =>
  portsIn(options.ports).filter((port) => !isPortOpen(port));

/** @param count how many are needed @throws RefloatError target.failed when too few of the declared ones are free */
export const chooseInstancePorts = (declared: Declared, count: number): readonly number[] => {
  const free = freePortsOf(declared);
  if (free.length >= count) return free.slice(0, count);
  const { component, options } = declared;
  const found = free.length === 0 ? "none" : `only ${free.length}`;
  const held = heldByRuns(options.ports);
  throw new RefloatError("target.failed", `${found} of the ports ${options.ports} of ${component} is free`, {
    hint: `${held.length === 0 ? "free more of them" : held.join("; ")}, or declare more, such as ports: 5440-5449`,
  });
};

/** As runs name what they have restored. A server works in its folder, or is told it, under whatever name that had. */
const restoredPattern = /([^/=]+[._]r(\d+))(?=\/|$)/;

/** A rehearsal that was left keeps its port, and nobody remembers it. */
const heldByRuns = (ports: string | number): readonly string[] => {
  const held = portsIn(ports).flatMap((port) =>
    findPortOwners(port).pids.flatMap((pid) => {
      const { workingDirectory, words } = readPlaces(pid);
      const [, name, run] =
        [workingDirectory ?? "", ...words].map((word) => restoredPattern.exec(word)).find((match) => match !== null) ??
        [];
      return run === undefined
        ? []
        : [`the server that run ${run} has restored, ${name}, holds ${port}: refloat cancel ${run} frees it`];
    }),
  );
  return [...new Set(held)];
};

/** @throws RefloatError target.failed when all declared ports are taken */
export const chooseInstancePort = (declared: Declared): number => chooseInstancePorts(declared, 1)[0] as number;

/** For `validate --live`. @param what `cluster`, `server` */
export const portFinding = (declared: Declared, what: string, count = 1): Finding => {
  const free = freePortsOf(declared);
  const subject = `ports ${declared.options.ports}`;
  return free.length < count
    ? finding(
        false,
        subject,
        `${free.length === 0 ? "none is" : `only ${free.length} are`} free for a restored ${what}`,
        [...heldByRuns(declared.options.ports), "free more of them, or declare more"].join("; "),
      )
    : finding(
        true,
        subject,
        `${free.slice(0, count).join(" and ")} ${count === 1 ? "is" : "are"} free for a restored ${what}`,
      );
};
