/** Whose `uses:` names a component. */
import type { ServiceDeclaration } from "../../model/declaration.ts";

export const usersOf = ({ components }: ServiceDeclaration, used: string): readonly string[] =>
  Object.values(components).flatMap(({ name, uses }) => (uses.includes(used) ? [name] : []));
