import { expect, it } from "vitest";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ComponentAccess } from "./component-access.ts";
import { bindFences } from "./bind-fences.ts";

const fence = [
  {
    name: "old primary",
    command: "off ${vm.address} ${db.address}",
    proof: "asks ${auth.db.address}",
    environment: { TOKEN: "${file:/etc/shop/token}" },
  },
];
const provision = { vm: { name: "vm", type: "qemu", options: {}, checks: [] } };
const service = { name: "shop", fence, provision };

/** @param fails by reference, what it fails with */
const bindFailing = (fails: Readonly<Record<string, RefloatError>>) => {
  const asked: string[] = [];
  const bind: ComponentAccess["bind"] = () => async (text) => {
    asked.push(text);
    const error = fails[text];
    if (error !== undefined) throw error;
    return { value: "known", secret: false };
  };
  return { asked, bind };
};

it("looks up secrets and what is provisioned, and leaves what a component puts out to the run", async () => {
  const { asked, bind } = bindFailing({});
  await bindFences({ bind }, service, { byWord: false });
  expect(asked.toSorted()).toEqual(["${file:/etc/shop/token}", "${vm.address}"]);
  await bindFences({ bind }, { name: "shop" }, { byWord: false });
  expect(asked).toHaveLength(2);
});

it("takes for granted what the plan will provision", async () => {
  const { bind } = bindFailing({ "${vm.address}": new RefloatError("provision.absent", "vm is not there") });
  await expect(bindFences({ bind }, service, { byWord: false })).resolves.toEqual({});
});

it("refuses the plan where a secret is missing, or what is provisioned has no such output now", async () => {
  const { bind } = bindFailing({
    "${file:/etc/shop/token}": new RefloatError("secret.unavailable", "/etc/shop/token cannot be read: not found"),
  });
  await expect(bindFences({ bind }, service, { byWord: false })).rejects.toMatchObject({
    code: "plan.impossible",
    message: "old primary could not be fenced off: /etc/shop/token cannot be read: not found",
    hint: "fence: refers to ${file:/etc/shop/token}, which must be known before a cutover",
    nextCommand: "refloat validate --live shop",
  });
  const without = bindFailing({
    "${vm.address}": new RefloatError("source.failed", "vm has no address at this moment"),
  });
  await expect(bindFences(without, service, { byWord: true })).rejects.toMatchObject({
    code: "plan.impossible",
    message: "old primary could not be fenced off: vm has no address at this moment",
  });
});

it("leaves it to a person where nobody could change what is declared, and says why", async () => {
  const { bind } = bindFailing({
    "${file:/etc/shop/token}": new RefloatError("secret.unavailable", "/etc/shop/token cannot be read: not found"),
  });
  await expect(bindFences({ bind }, service, { byWord: true })).resolves.toEqual({
    "old primary": { why: "/etc/shop/token cannot be read: not found", isProven: false },
  });
});

it("keeps the proof of an entry of which only the command refers to what is missing", async () => {
  const missing = new RefloatError("secret.unavailable", "/etc/shop/token cannot be read: not found");
  const { bind } = bindFailing({ "${file:/etc/shop/token}": missing, "${file:/etc/shop/key}": missing });
  const named = (name: string, command: string, proof?: string) => ({
    name,
    command,
    ...(proof === undefined ? {} : { proof }),
  });
  const declared = {
    name: "shop",
    fence: [
      named("apart", "off ${file:/etc/shop/token}", "asks db-1"),
      named("both", "off ${file:/etc/shop/key} ${file:/etc/shop/token}", "asks ${file:/etc/shop/token}"),
      named("none", "off ${file:/etc/shop/token}"),
    ],
  };
  const found = await bindFences({ bind }, declared, { byWord: true });
  expect(Object.entries(found).map(([name, { isProven }]) => [name, isProven])).toEqual([
    ["apart", true],
    ["both", false],
    ["none", false],
  ]);
});
