/** Dependencies of Debian packages: what they need, what of it is not there, and what may not go. Pure. */
import type { DebianPackage, InstalledPackage } from "./debian-package.ts";
import { packageKey } from "./debian-package.ts";
import { compareDebianVersions } from "./debian-version.ts";

type Relation = { readonly name: string; readonly operator: string; readonly version: string };

/** `a (>= 1) | b, c`: all of the groups must be met, each by one of its relations. */
const groupsOf = (text: string): readonly (readonly Relation[])[] =>
  text
    .split(",")
    .map((group) =>
      group.split("|").flatMap((relation): readonly Relation[] => {
        const [, name, operator = "", version = ""] =
          /^\s*([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s)]+)\s*\))?/.exec(
            relation,
          ) ?? [];
        return name === undefined ? [] : [{ name, operator, version }];
      }),
    )
    .filter((group) => group.length > 0);

const holds = ({ operator, version }: Relation, there: string): boolean => {
  const order = compareDebianVersions(there, version);
  if (operator === "") return true;
  if (operator === "=") return order === 0;
  if (operator === "<<") return order < 0;
  if (operator === ">>") return order > 0;
  return operator.startsWith("<") ? order <= 0 : order >= 0;
};

/** A package that is provided without a version meets no relation that asks for one. */
const meets = (relation: Relation, one: DebianPackage): boolean =>
  (one.name === relation.name && holds(relation, one.version)) ||
  groupsOf(one.provides)
    .flat()
    .some(
      (given) =>
        given.name === relation.name &&
        (relation.operator === "" || (given.version !== "" && holds(relation, given.version))),
    );

type Index = ReadonlyMap<string, readonly DebianPackage[]>;

const indexOf = (packages: readonly DebianPackage[]): Index => {
  const index = new Map<string, DebianPackage[]>();
  for (const one of packages)
    for (const name of new Set([
      one.name,
      ...groupsOf(one.provides)
        .flat()
        .map((given) => given.name),
    ])) {
      const known = index.get(name);
      if (known === undefined) index.set(name, [one]);
      else known.push(one);
    }
  return index;
};

const meeting = (relation: Relation, index: Index): readonly DebianPackage[] =>
  (index.get(relation.name) ?? []).filter((one) => meets(relation, one));

/**
 * The packages of the names and all that they need, as they are installed. What is essential is on every Debian, and is among them only where it is named.
 * @param names as dpkg says them: `libc6:amd64`, `openssl`
 */
export const withDependencies = (
  names: readonly string[],
  installed: readonly InstalledPackage[],
): readonly InstalledPackage[] => {
  const index = indexOf(installed);
  const found = new Map<string, InstalledPackage>();
  const queue = installed.filter((one) => names.includes(one.name) || names.includes(packageKey(one)));
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    if (found.has(packageKey(one))) continue;
    found.set(packageKey(one), one);
    for (const group of groupsOf(one.depends)) {
      const [first] = group.flatMap((relation) => meeting(relation, index)) as InstalledPackage[];
      if (first !== undefined && !first.essential) queue.push(first);
    }
  }
  return [...found.values()].toSorted((a, b) => (packageKey(a) < packageKey(b) ? -1 : 1));
};

export type Unmet = { readonly by: DebianPackage; readonly needs: string };

/** @returns what of the needs of `wanted` is met by none of `there` */
export const unmetDependencies = (
  wanted: readonly DebianPackage[],
  there: readonly DebianPackage[],
): readonly Unmet[] => {
  const index = indexOf(there);
  const words = ({ name, operator, version }: Relation): string =>
    operator === "" ? name : `${name} (${operator} ${version})`;
  return wanted.flatMap((by) =>
    groupsOf(by.depends)
      .filter((group) => group.every((relation) => meeting(relation, index).length === 0))
      .map((group) => ({ by, needs: group.map(words).join(" or ") })),
  );
};

/**
 * In which order they are installed, since dpkg unpacks all that it is given before it configures any of it, and unpacks nothing whose `Pre-Depends` are not
 * configured: what is in one stage is given to it at once. Of needs in a circle with such a one, which Debian forbids, dpkg says so itself.
 */
export const installationStages = <One extends DebianPackage>(wanted: readonly One[]): readonly (readonly One[])[] => {
  const index = indexOf(wanted);
  const neededBy = (one: One, text: string, apart: number) =>
    groupsOf(text)
      .flat()
      .flatMap((relation) => meeting(relation, index))
      .filter((other) => other !== one)
      .map((other) => ({ one, other, apart }));
  const needs = wanted.flatMap((one) => [...neededBy(one, one.depends, 0), ...neededBy(one, one.preDepends ?? "", 1)]);
  const stages = new Map<DebianPackage, number>();
  const stageOf = (one: DebianPackage): number => stages.get(one) ?? 0;
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    for (const { one, other, apart } of needs) {
      const least = Math.min(stageOf(other) + apart, wanted.length);
      if (least <= stageOf(one)) continue;
      stages.set(one, least);
      isMoving = true;
    }
  }
  return [...Map.groupBy(wanted, stageOf)].toSorted(([a], [b]) => a - b).map(([, stage]) => stage);
};

export type Conflict = { readonly by: DebianPackage; readonly with: DebianPackage };

/** @returns what of `wanted` and of `there` may not be installed beside each other, as either of the two says. A package is in no conflict with its own name. */
export const conflictsBetween = (
  wanted: readonly DebianPackage[],
  there: readonly DebianPackage[],
): readonly Conflict[] => {
  const against = (by: DebianPackage, index: Index): readonly Conflict[] =>
    groupsOf(by.conflicts ?? "")
      .flat()
      .flatMap((relation) => meeting(relation, index))
      .filter(({ name }) => name !== by.name)
      .map((other) => ({ by, with: other }));
  const [coming, staying] = [indexOf(wanted), indexOf(there)];
  return [
    ...wanted.flatMap((by) => [...against(by, coming), ...against(by, staying)]),
    ...there.flatMap((by) => against(by, coming)),
  ];
};

/**
 * What of `leaving` may go without taking from what stays something that it has now, and who keeps each of the others.
 * @returns kept: with the name of what needs it
 */
export const removable = (
  leaving: readonly DebianPackage[],
  installed: readonly DebianPackage[],
): { readonly removed: readonly DebianPackage[]; readonly kept: ReadonlyMap<DebianPackage, string> } => {
  const keys = new Set(leaving.map(packageKey));
  const staying = installed.filter((one) => !keys.has(packageKey(one)));
  const going = new Set(leaving);
  const kept = new Map<DebianPackage, string>();
  const asked = [...staying];
  for (let one = asked.pop(); one !== undefined; one = asked.pop()) {
    const left = indexOf(staying);
    const gone = indexOf([...going]);
    for (const group of groupsOf(one.depends)) {
      if (group.some((relation) => meeting(relation, left).length > 0)) continue;
      const [provider] = group.flatMap((relation) => meeting(relation, gone));
      if (provider === undefined) continue;
      going.delete(provider);
      kept.set(provider, one.name);
      staying.push(provider);
      asked.push(provider, one);
      break;
    }
  }
  return { removed: [...going], kept };
};
