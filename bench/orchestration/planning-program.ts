/** Plans the recovery of one service of so many components: `planning-program.ts COMPONENTS TIMES`. Writes how long each plan took. */
import { planRecovery } from "../../src/core/planner/plan-recovery.ts";
import { largeRecovery, largeService } from "./large-service.ts";

const [components = 0, times = 0] = process.argv.slice(2).map(Number);
const input = largeRecovery(largeService(components));
for (let time = 0; time < times; time += 1) {
  const beganMs = performance.now();
  const { intent } = planRecovery(input);
  process.stdout.write(`took ${performance.now() - beganMs} ${intent.steps.length}\n`);
}
