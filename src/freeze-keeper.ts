/** Entry of the process that keeps a frozen service from staying so. */
import { keepFreeze } from "./platform/quiesce/keep-freeze.ts";

await keepFreeze();
