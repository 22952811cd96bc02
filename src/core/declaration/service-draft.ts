import type { ServiceDeclaration } from "../../model/declaration.ts";

/**
 * What a service is as far as it could be read, `options` and `checks` as the file has them: for the checks that look at a
 * service as a whole and have something to say even when a part of it is wrong.
 */
export type ServiceDraft = Pick<ServiceDeclaration, "name" | "components" | "invariants"> & {
  readonly provision: NonNullable<ServiceDeclaration["provision"]>;
};
