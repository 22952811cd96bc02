/**
 * Where a component's exports go, below the folder of a run: two databases may have tables of one name, so each component has a folder
 * of its own, except where only one exports and nothing can collide.
 */
export const exportFolder = (base: string, component: string, exporting: readonly string[]): string =>
  exporting.length > 1 ? `${base}/${component}` : base;

/** Within it, for rows that are on the other side too, with other values. */
export const changedFolder = "changed";
