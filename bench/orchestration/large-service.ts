/**
 * A service of many components as the planner is told of it: databases and folders at the bottom, applications in tiers above, each on
 * some of the tiers below. The same for the same number, so that two runs plan the same.
 */
import { captured, component, live, recoveryInput, shopPoint } from "../../test/fixtures/shop.ts";
import { buildGraph } from "../../src/core/graph/build-graph.ts";
import type { RecoveryInput } from "../../src/core/planner/planner-input.ts";
import type { ServiceDeclaration } from "../../src/model/declaration.ts";
import { seededRandom } from "../vault/seeded-random.ts";

const takenAt = "2026-11-22T13:00:04.000Z";
/** Of ten components: five databases, two folders, and an application in each of three tiers. */
const tiers = ["postgres", "postgres", "postgres", "postgres", "postgres", "files", "files", "app1", "app2", "app3"];
const needsOfEach = 3;

type Member = { readonly name: string; readonly tier: number; readonly type: string };

const membersOf = (count: number): readonly Member[] =>
  Array.from({ length: count }, (_none, index) => {
    const kind = tiers[index % tiers.length] ?? "files";
    const tier = kind.startsWith("app") ? Number(kind.slice("app".length)) : 0;
    return { name: `${tier === 0 ? kind : `app-${tier}`}-${index}`, tier, type: tier === 0 ? kind : "process" };
  });

export const largeService = (count: number): ServiceDeclaration => {
  const random = seededRandom(count);
  const members = membersOf(count);
  const below = (tier: number) => members.filter((member) => member.tier < tier);
  const choices = [0, 1, 2, 3].map(below);
  const pick = ({ tier }: Member): string[] => {
    const from = choices[tier] ?? [];
    return from.length === 0
      ? []
      : [...new Set(Array.from({ length: needsOfEach }, () => from[Math.floor(random() * from.length)]?.name ?? ""))];
  };
  return {
    name: "large",
    owners: [],
    objectives: {},
    components: Object.fromEntries(
      members.map((member) => [member.name, component(member.name, member.type, { dependsOn: pick(member) })]),
    ),
    invariants: {},
    cutover: [],
  };
};

export const largeRecovery = (service: ServiceDeclaration): RecoveryInput => {
  const base = recoveryInput().point;
  const graph = buildGraph(service);
  const all = Object.values(service.components);
  const { manifest } = shopPoint({ id: "1a", at: takenAt });
  return {
    ...recoveryInput(),
    service,
    graph,
    point: {
      ...base,
      manifest: {
        ...manifest,
        service: service.name,
        declaration: service,
        graph,
        components: Object.fromEntries(
          all.map(({ name, type }) => [
            name,
            {
              ...captured(name, type, takenAt, {
                sizeBytes: 1_000_000,
                counts: type === "postgres" ? { tables: 5 } : {},
              }),
              newBytes: 0,
            },
          ]),
        ),
      },
    },
    newest: null,
    closer: null,
    request: { at: null, cutover: true },
    components: Object.fromEntries(
      all.map(({ name, type }, index) => [
        name,
        live({
          name,
          capabilities: {
            hasWrites: type !== "process",
            hasRuntime: type === "process",
            hasReload: false,
            hasMigrate: false,
            hasInvariants: type !== "process",
          },
          ...(type === "process" ? { release: { path: `/srv/${name}`, label: "1.0" }, freePort: 10_000 + index } : {}),
        }),
      ]),
    ),
    space: [],
    orphans: {},
  };
};
