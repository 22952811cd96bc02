/** A port for the server of a restored folder, until it stands at the stable place. */
import { RefloatError } from "../../model/refloat-error.ts";
import { type Finding, finding } from "../postgres/preflight-finding.ts";
import { isPortOpen } from "../port-owner.ts";
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
  throw new RefloatError("target.failed", `${found} of the ports ${options.ports} of ${component} is free`, {
    hint: "free more of them, or declare more, such as ports: 5440-5449",
  });
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
        "free more of them, or declare more",
      )
    : finding(
        true,
        subject,
        `${free.slice(0, count).join(" and ")} ${count === 1 ? "is" : "are"} free for a restored ${what}`,
      );
};
