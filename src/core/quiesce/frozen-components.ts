/** What is read while a file system is frozen: all of the service's data must lie there, or it would not be of the same moment. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { ComponentAccess } from "../components/component-access.ts";

export type FrozenComponents = { readonly paths: Readonly<Record<string, string>> } | { readonly why: string };

/** @returns by component its path, or which one cannot be read from a frozen file system */
export const frozenComponents = async (
  { components }: ServiceDeclaration,
  access: ComponentAccess,
): Promise<FrozenComponents> => {
  const paths: Record<string, string> = {};
  for (const name of Object.keys(components)) {
    const { capturesFrozen, stableOutputs, type } = access.driver(name);
    const { path } = capturesFrozen === true ? await stableOutputs(await access.context(name)) : {};
    if (path === undefined)
      return { why: `${name} is of type ${type}, and a frozen file system holds still what is read from files alone` };
    paths[name] = path.value;
  }
  return { paths };
};
