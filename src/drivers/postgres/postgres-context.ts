import type { DriverContext } from "../../core/ports/driver.ts";
import type { PostgresOptions } from "./postgres-options.ts";

/** What every act of this driver is given. */
export type PostgresContext = DriverContext<PostgresOptions>;
