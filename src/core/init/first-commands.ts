/** What has to be done before a proposed file can be true: the roles that its databases' servers lack, each made once with what all of them need. */
import { type MissingRole, createRoleCommand } from "../text/create-role-command.ts";
import type { ProposedService } from "./proposal.ts";

export type FirstCommand = { readonly why: string; readonly command: string };

export const firstCommands = (services: readonly ProposedService[]): readonly FirstCommand[] => {
  const missing = services
    .flatMap(({ components }) => components)
    .flatMap(({ missingRole }) => (missingRole === undefined ? [] : [missingRole]));
  return [...Map.groupBy(missing, placeOf).values()].flatMap((roles) => {
    const [first] = roles;
    if (first === undefined) return [];
    const owners = [...new Set(roles.flatMap((role) => role.owners))].sort();
    return [
      {
        why: `PostgreSQL on port ${first.port} has no role ${first.role}`,
        command: createRoleCommand({ ...first, owners }),
      },
    ];
  });
};

const placeOf = ({ role, socketDirectory, port }: MissingRole): string => `${socketDirectory}:${port} ${role}`;
