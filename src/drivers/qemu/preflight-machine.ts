/** What a virtual machine needs of this machine: qemu, its images, KVM where that was asked for. */
import { access, constants } from "node:fs/promises";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { type BoundMachine, emulator } from "./machine-words.ts";
import type { QemuContext } from "./qemu-options.ts";
import { isKvmOpen, kvmDevice } from "./start-machine.ts";

type Finding = PreflightReport["findings"][number];

const programs = [
  [emulator, "qemu-system-x86"],
  ["qemu-img", "qemu-utils"],
] as const;

const missingPrograms = async ({ signal }: QemuContext): Promise<readonly Finding[]> => {
  const findings: Finding[] = [];
  for (const [program, debianPackage] of programs) {
    try {
      await runProgram(program, ["--version"], { signal });
    } catch (error) {
      if (!(error instanceof RefloatError) || error.code !== "program.missing") throw error;
      const hint = `Debian: apt-get install ${debianPackage}`;
      findings.push({ ok: false, subject: program, found: "is not installed", hint });
    }
  }
  return findings;
};

const unreadable = async (subject: string, path: string): Promise<readonly Finding[]> =>
  access(path, constants.R_OK).then(
    () => [],
    () => [
      {
        ok: false,
        subject,
        found: `${path} is not there, or may not be read`,
        hint: "make it, or let an entry above make it",
      },
    ],
  );

const baseFindings = async ({ signal }: QemuContext, { base }: BoundMachine): Promise<readonly Finding[]> => {
  if (base === null) return [];
  const missing = await unreadable("disk", base.path);
  if (missing.length > 0) return missing;
  try {
    await runProgram("qemu-img", ["info", "--force-share", "-f", base.format, base.path], { signal });
    return [];
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return [{ ok: false, subject: "disk", found: error.message, hint: "format: says what it is, qcow2 or raw" }];
  }
};

const acceleratorFinding = async ({ options: { accelerator = "auto" } }: QemuContext): Promise<Finding> => {
  const subject = "accelerator";
  if (accelerator === "tcg") return { ok: true, subject, found: "tcg" };
  if (await isKvmOpen())
    return {
      ok: true,
      subject,
      found: `${kvmDevice} may be opened; whether machines run by it is seen when one starts`,
    };
  return accelerator === "auto"
    ? { ok: true, subject, found: `${kvmDevice} may not be opened: tcg, which is many times slower` }
    : { ok: false, subject, found: `${kvmDevice} may not be opened`, hint: "accelerator: auto goes on without it" };
};

export const machineFindings = async (context: QemuContext, bound: BoundMachine): Promise<readonly Finding[]> => {
  const missing = await missingPrograms(context);
  const named = [
    ...bound.media.map((path) => ["medium", path] as const),
    ...(bound.kernel === null ? [] : [["kernel", bound.kernel] as const]),
    ...(bound.initrd === null ? [] : [["initrd", bound.initrd] as const]),
  ];
  return [
    ...missing,
    ...(missing.length > 0 ? [] : await baseFindings(context, bound)),
    ...(await Promise.all(named.map(([subject, path]) => unreadable(subject, path)))).flat(),
    await acceleratorFinding(context),
  ];
};
