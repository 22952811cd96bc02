/** Room for a temporary server, which is made in the folder for temporary files. */
import { tmpdir } from "node:os";
import { formatBytes } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { measureSpace } from "../free-space.ts";

/** Before anything is made. @throws RefloatError target.failed */
export const requireRoom = async ({ component }: { readonly component: string }, bytes: number): Promise<void> => {
  const folder = tmpdir();
  const [space] = await measureSpace([{ path: folder, bytes, component }]);
  if (space === undefined || space.freeBytes >= space.neededBytes) return;
  throw new RefloatError(
    "target.failed",
    `a temporary server for it takes ${formatBytes(space.neededBytes)} in ${folder}, where ${formatBytes(space.freeBytes)} are free`,
    {
      state: "nothing was made",
      hint: "let TMPDIR name a folder on a larger disk, which the user of the server can enter",
    },
  );
};
