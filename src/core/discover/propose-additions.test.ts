import { describe, expect, it } from "vitest";
import { component, shop } from "../../../test/fixtures/shop.ts";
import type { ObservedTree } from "../ports/discovery.ts";
import { editDeclaration } from "./edit-declaration.ts";
import { proposeAdditions } from "./propose-additions.ts";

const tree = (seen: Partial<ObservedTree>): ObservedTree => ({
  pids: [4711],
  variables: [],
  hosts: [],
  libraries: [],
  packages: [],
  files: [],
  ports: [],
  peers: [],
  mounts: [],
  hidden: false,
  ...seen,
});

const database = (name: string): Pick<ObservedTree, "variables" | "peers"> => ({
  variables: [
    {
      name: "DATABASE_URL",
      meaning: {
        kind: "database",
        form: "url",
        host: "10.0.0.7",
        port: 5432,
        database: name,
        user: null,
        hasPassword: false,
      },
    },
  ],
  peers: [{ host: "10.0.0.7", port: 5432, local: false }],
});

const program = component("", "process", { options: { environment: { DATABASE_URL: "x" } } });
const service = { ...shop, components: { app: program, worker: program } };

const propose = (trees: Readonly<Record<string, ObservedTree>>) =>
  proposeAdditions({
    service,
    known: [],
    processes: Object.entries(trees).map(([name, seen]) => ({ component: name, release: null, tree: seen })),
  }).flatMap(({ additions }) => additions);

describe("what is proposed of several processes", () => {
  it("has a name of its own each, and all of it stands in the patched file", () => {
    const additions = propose({
      app: tree({ ...database("shop"), files: ["/srv/shop/orders.log"] }),
      worker: tree({ ...database("audit"), files: ["/var/shop/jobs.log"] }),
    });
    const made = additions.filter(({ as }) => as === "value").map(({ path }) => path.join("."));
    expect(made).toEqual(["components.shop", "components.shop-2", "components.audit", "components.shop-3"]);
    const file = "services:\n  shop:\n    components:\n      app: { type: process }\n      worker: { type: process }\n";
    const edited = editDeclaration(file, "shop", additions) ?? "";
    for (const told of ["10.0.0.7:5432/shop", "10.0.0.7:5432/audit", "path: /srv/shop", "path: /var/shop"])
      expect(edited).toContain(told);
  });

  it("is proposed once where two of them share it", () => {
    const seen = tree({ ...database("shop"), files: ["/srv/data/orders.log"] });
    expect(propose({ app: seen, worker: seen }).map(({ path, value }) => [path.join("."), value])).toEqual([
      ["components.shop", { type: "postgres", url: "postgres://10.0.0.7:5432/shop" }],
      ["components.app.dependsOn", "shop"],
      ["components.data", { type: "files", path: "/srv/data" }],
      ["components.worker.dependsOn", "shop"],
    ]);
  });
});
