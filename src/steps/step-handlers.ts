/** One handler for each kind of step. */
import type { StepHandlers } from "../core/ports/engine.ts";
import { createAdmitStep } from "./admit.ts";
import { createApproveStep } from "./approve.ts";
import { createCaptureStep } from "./capture.ts";
import { createCheckInvariantStep } from "./check-invariant.ts";
import { createCheckUsedStep } from "./check-used.ts";
import { createCheckStep } from "./check.ts";
import { createDropStep } from "./drop.ts";
import { createFenceStep } from "./fence.ts";
import { createHoldStep } from "./hold.ts";
import { createIsolateStep } from "./isolate.ts";
import { createManualStep } from "./manual.ts";
import { createMigrateStep } from "./migrate.ts";
import { createProbeStep } from "./probe.ts";
import { createProvisionStep } from "./provision.ts";
import { createReinstateStep } from "./reinstate.ts";
import { createReloadStep } from "./reload.ts";
import { createRestoreStep } from "./restore.ts";
import { createRetireStep } from "./retire.ts";
import { createSaveLostStep } from "./save-lost.ts";
import { createStartStep } from "./start.ts";
import type { StepParts } from "./step-bench.ts";
import { createSwitchStep } from "./switch.ts";
import { createTeardownStep } from "./teardown.ts";
import { createTryStep } from "./try.ts";
import { createWaitStep } from "./wait.ts";

export const createStepHandlers = (parts: StepParts): StepHandlers => ({
  admit: createAdmitStep(parts),
  approve: createApproveStep(parts),
  capture: createCaptureStep(parts),
  check: createCheckStep(parts),
  "check-invariant": createCheckInvariantStep(parts),
  "check-used": createCheckUsedStep(parts),
  drop: createDropStep(parts),
  fence: createFenceStep(parts),
  hold: createHoldStep(parts),
  isolate: createIsolateStep(parts),
  manual: createManualStep(parts),
  migrate: createMigrateStep(parts),
  probe: createProbeStep(parts),
  provision: createProvisionStep(parts),
  reinstate: createReinstateStep(parts),
  reload: createReloadStep(parts),
  restore: createRestoreStep(parts),
  retire: createRetireStep(parts),
  "save-lost": createSaveLostStep(parts),
  start: createStartStep(parts),
  switch: createSwitchStep(parts),
  teardown: createTeardownStep(parts),
  try: createTryStep(parts),
  wait: createWaitStep(parts),
});
