/**
 * From the text of `refloat.yaml` to a declaration, or to everything that is wrong with it, in one go: each mistake with its
 * place and the likely fix. Pure: no file is read, no component asked; the drivers bring the schemas of their own keys.
 */
import type { Declaration } from "../../model/declaration.ts";
import { declarationFileSchema } from "../../model/declaration-file.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { JsonObject } from "../../model/json.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import { checkVaultReferences } from "./check-references.ts";
import { checkSecretsOutside } from "./check-secrets.ts";
import { DiagnosticCollector } from "./diagnostic-collector.ts";
import { readNotify } from "./read-notify.ts";
import { joinServices } from "./join-services.ts";
import { readService } from "./read-service.ts";
import { Reading } from "./reading.ts";
import { readShape } from "./report-issues.ts";
import { supportedVaultSchemes, unsupportedRootKeys, unsupportedVaultSchemes } from "./unsupported-words.ts";
import { nodeAt, readYaml } from "./yaml-source.ts";

export type ParsedDeclaration = {
  /**
   * Undefined when any diagnostic is an error. Components' `options` are what the driver's schema made of their keys, its
   * defaults filled in.
   */
  readonly declaration: Declaration | undefined;
  /** Errors and warnings in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
};

/** @param fileName as it is to be shown in diagnostics */
export const parseDeclaration = (text: string, fileName: string, registry: DriverRegistry): ParsedDeclaration => {
  const source = readYaml(text);
  const collector = new DiagnosticCollector(fileName, source.text);
  for (const mistake of source.mistakes) collector.report(mistake);
  const declaration = source.root === undefined ? undefined : readFile(new Reading(source.root, registry, collector));
  return { declaration: collector.hasErrors ? undefined : declaration, diagnostics: collector.diagnostics() };
};

const aboutRootKey = (key: string): string | undefined => {
  if (key === "version") return "remove it; each point records the form that it was written in";
  if (key === "components") return "components stand in a service: services: { shop: { components: ... } }";
  return undefined;
};

const readFile = (reading: Reading): Declaration | undefined => {
  const { value } = reading.root;
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    reading.atValue([], {
      code: value === null ? "config.empty" : "config.wrong-type",
      message: value === null ? "the file is empty" : "the file is not a mapping of keys",
      hint: "it begins with vault: and services:; refloat init proposes one",
    });
    return undefined;
  }
  const keys = value as JsonObject;
  for (const [key, hint] of Object.entries(unsupportedRootKeys)) {
    if (Object.hasOwn(keys, key))
      reading.atKey(
        [key],
        { code: "config.unsupported", message: `${key} is not supported by this version`, hint },
        [],
      );
  }
  const known = Object.fromEntries(Object.entries(keys).filter(([key]) => !Object.hasOwn(unsupportedRootKeys, key)));
  const file = readShape(declarationFileSchema, known, { reading, base: [], aboutUnknownKey: aboutRootKey });
  checkVault(reading);
  const services = readServices(reading);
  const notify = readNotify(reading, Object.keys(nodeAt(reading.root, ["services"])?.value ?? {}));
  if (file === undefined || services === undefined || notify === undefined) return undefined;
  const joined = joinServices(reading, services);
  if (joined === undefined) return undefined;
  return { vault: file.vault, services: joined, ...(notify.length === 0 ? {} : { notify: [...notify] }) };
};

const checkVault = (reading: Reading): void => {
  checkSecretsOutside(reading, "vault");
  checkVaultReferences(reading);
  const url = nodeAt(reading.root, ["vault", "url"])?.value;
  if (typeof url !== "string") return;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || supportedVaultSchemes.some((supported) => supported === scheme)) return;
  const known = unsupportedVaultSchemes.some((unsupported) => unsupported === scheme);
  reading.atValue(["vault", "url"], {
    code: known ? "config.unsupported" : "config.bad-value",
    message: known ? `a vault at ${scheme}: is not supported by this version` : `vault.url cannot be "${url}"`,
    hint:
      scheme === "file"
        ? `write the path alone: ${url.replace(/^file:(\/\/)?/i, "")}`
        : "write a folder, such as /backup/vault, or sftp:user@host:/path, or s3:https://host/bucket/prefix",
  });
};

const readServices = (reading: Reading): Declaration["services"] | undefined => {
  const node = nodeAt(reading.root, ["services"]);
  if (node === undefined) return undefined;
  if (node.entries.size === 0) {
    const isMapping = node.value !== null && typeof node.value === "object" && !Array.isArray(node.value);
    if (isMapping)
      reading.atKey(["services"], {
        code: "config.empty",
        message: "services is empty",
        hint: "declare at least one service: shop: { components: ... }",
      });
    return undefined;
  }
  const services = [...node.entries.keys()].map((name) => readService(reading, ["services", name], name));
  const whole = services.filter((service) => service !== undefined);
  return whole.length === services.length
    ? Object.fromEntries(whole.map((service) => [service.name, service]))
    : undefined;
};
