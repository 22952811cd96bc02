/** The shop's refloat.yaml with the paths and ports of a shop that is open, made from the one beside this folder. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocument } from "yaml";
import type { Shop } from "./shop.ts";

export type VaultPlace = { readonly url: string; readonly passwordFile: string };

export const writeDeclaration = async (path: string, shop: Shop, vault: VaultPlace): Promise<void> => {
  const text = await readFile(join(import.meta.dirname, "../refloat.yaml"), "utf8");
  const document = parseDocument(text.replace(/^(#.*\n)+/, "# The shop of `npm run demo`.\n"));
  const set = (keys: readonly (string | number)[], value: string): void => {
    if (!document.hasIn(keys)) throw new Error(`refloat.yaml of the shop has no ${keys.join(".")}`);
    document.setIn(keys, value);
  };
  const service = ["services", "shop"];
  const component = (name: string, key: string): string[] => [...service, "components", name, key];
  set(["vault", "url"], vault.url);
  set(["vault", "password"], `\${file:${vault.passwordFile}}`);
  set([...service, "probe"], `${shop.url}/health`);
  set(component("db", "url"), `postgres://shop@127.0.0.1:${shop.database.port}/shop`);
  set(component("db", "password"), `\${file:${shop.places.databasePassword}}`);
  set(component("uploads", "path"), shop.places.uploads);
  set(component("app", "release"), shop.places.current);
  set(component("app", "ports"), shop.appPorts.join("-"));
  set(component("proxy", "path"), shop.places.proxy);
  set(component("proxy", "reload"), shop.proxy.reloadCommand);
  set([...service, "cutover", 0, "socket"], shop.proxy.socket);
  set([...service, "cutover", 0, "stateFile"], shop.proxy.stateFile);
  await writeFile(path, document.toString({ lineWidth: 0 }));
};
