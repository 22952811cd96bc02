/** Files that stand whole in the documents: whoever copies one has no mistake to look for. */
import { readFile, readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parseDeclaration } from "../../src/core/declaration/parse-declaration.ts";
import { driverRegistry } from "../../src/driver-registry.ts";

const docs = new URL("../../docs/", import.meta.url);

const whole = async (): Promise<readonly { readonly page: string; readonly text: string }[]> => {
  const pages = [...(await readdir(docs)).filter((name) => name.endsWith(".md")), "../README.md"];
  const texts = await Promise.all(
    pages.map(async (page) => [page, await readFile(new URL(page, docs), "utf8")] as const),
  );
  return texts.flatMap(([page, text]) =>
    [...text.matchAll(/^```ya?ml\n(.*?)^```$/gms)].flatMap(([, block = ""]) =>
      /^vault:/m.test(block) && /^services:/m.test(block) ? [{ page, text: block }] : [],
    ),
  );
};

describe("a refloat.yaml in the documents", () => {
  it("is right, wherever one stands whole", async () => {
    const files = await whole();
    expect(files.map(({ page }) => page)).toEqual(expect.arrayContaining(["several-services.md", "../README.md"]));
    for (const { page, text } of files)
      expect({ page, diagnostics: parseDeclaration(text, page, driverRegistry).diagnostics }).toEqual({
        page,
        diagnostics: [],
      });
  });

  it("of services that need each other gives the order, and what is referred to", async () => {
    const example = (await whole()).find(({ page }) => page === "several-services.md");
    const { declaration } = parseDeclaration(example?.text ?? "", "several-services.md", driverRegistry);
    expect(Object.keys(declaration?.services ?? {})).toEqual(["identity", "shop"]);
    expect(declaration?.services["shop"]?.components["app"]?.dependsOn).toEqual(["identity.accounts"]);
  });
});
