/** A proposal: services as `refloat init` would write them. Data only; `declaration-text.ts` makes it a file. */
import type { MissingRole } from "../text/create-role-command.ts";

/** `value` as the file has it: what was found is escaped, so that only references of the proposal itself are references. */
export type ProposedLine = { readonly key: string; readonly value: string; readonly comment?: string };

export type ProposedComponent = {
  readonly name: string;
  readonly type: "postgres" | "files" | "process";
  /** How it was found, for a comment. */
  readonly about: string;
  readonly lines: readonly ProposedLine[];
  readonly environment: readonly ProposedLine[];
  /** Variables whose values were not looked at. */
  readonly otherVariables: readonly string[];
  readonly dependsOn: readonly string[];
  /** Of a database: the role that its url logs in as and that its server does not have. */
  readonly missingRole?: MissingRole;
};

export type ProposedCutover = {
  readonly server: string;
  /** Null when HAProxy has no socket that may change it. */
  readonly socket: string | null;
  readonly to: string;
};

export type ProposedService = {
  readonly name: string;
  readonly probe: string | null;
  readonly components: readonly ProposedComponent[];
  readonly cutover: readonly ProposedCutover[];
};

export type Proposal = {
  readonly hostname: string;
  readonly services: readonly ProposedService[];
  /** What was seen and could not be proposed, and what could not be seen. */
  readonly notes: readonly string[];
};
