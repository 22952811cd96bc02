import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Writes `refloat.yaml`, with a vault beside it and its password. @param services the file from the key `services` on */
export const declareIn = async (folder: string, services: string): Promise<void> => {
  await writeFile(join(folder, "password"), "correct horse battery staple\n", { mode: 0o600 });
  const vault = `vault:\n  url: ${join(folder, "vault")}\n  password: \${file:${join(folder, "password")}}\n`;
  await writeFile(join(folder, "refloat.yaml"), `${vault}${services}`);
};
