import { expect, it } from "vitest";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { requireSecrets } from "./missing-secrets.ts";

const component = (name: string, options: Readonly<Record<string, string>>) => ({
  name,
  type: "postgres",
  dependsOn: [],
  uses: [],
  checks: [],
  options,
});

const service: ServiceDeclaration = {
  name: "shop",
  owners: [],
  objectives: {},
  components: {
    db: component("db", { password: "${file:/etc/shop/db}", url: "postgres://x" }),
    app: component("app", { start: "run ${db.url}", key: "${env:API_KEY}", again: "${file:/etc/shop/db}" }),
    log: component("log", { key: "${env:OTHER}" }),
  },
  invariants: {},
  cutover: [],
};

const reading = (known: readonly string[]) => ({
  readSecret: async (reference: string) => {
    if (!known.includes(reference)) throw new RefloatError("secret.unavailable", "no");
    return { reveal: () => "hidden" };
  },
});

const never = new AbortController().signal;

it("names every secret that is missing, with its places and the way to give it", async () => {
  await expect(requireSecrets(reading([]), service, ["db", "app"], never)).rejects.toMatchObject({
    code: "secret.unavailable",
    message:
      "2 secrets of shop cannot be read on this machine: ${file:/etc/shop/db} (db, app): write it to /etc/shop/db, readable by you only; ${env:API_KEY} (app): export API_KEY=...",
    state: "nothing was changed",
  });
});

it("asks for none that the recovery does not need", async () => {
  const all = reading(["file:/etc/shop/db", "env:API_KEY"]);
  await expect(requireSecrets(all, service, ["db", "app"], never)).resolves.toBeUndefined();
  await expect(requireSecrets(reading(["file:/etc/shop/db"]), service, ["db"], never)).resolves.toBeUndefined();
});

it("leaves those of a fence to the word of a person", async () => {
  const fenced = { ...service, fence: [{ name: "old", command: "off ${file:/etc/shop/power}" }] };
  const all = reading(["file:/etc/shop/db", "env:API_KEY"]);
  await expect(requireSecrets(all, fenced, ["db", "app"], never)).resolves.toBeUndefined();
});
