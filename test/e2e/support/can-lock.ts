/** Whether files can be made immutable here; says so where not, since tests are skipped then. */
import { createTestFolder } from "../../../src/testing/driver-context.ts";
import { createLocalStore } from "../../../src/vault/repository/stores/local-store.ts";

export const canLock = async (): Promise<boolean> => {
  const folder = await createTestFolder("refloat-locked");
  const ability = await (await createLocalStore(folder.path, { blocking: false })).retention?.support();
  await folder.remove();
  if (ability?.locks !== true) console.warn(`tests of locked folders are skipped: ${ability?.reason ?? ""}`);
  return ability?.locks === true;
};
