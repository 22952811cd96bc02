/** Where the parts of a captured cluster lie in its snapshot, below the component's own folder. */
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";

export const manifestName = "backup_manifest";
export const layoutName = "layout.json";

/** The name of the data folder in `folders`; those of tablespaces are their OIDs. */
export const dataFolder = "data";

export const placeInVault = (root: string, tablespace: string | null): string =>
  tablespace === null ? `${root}/${dataFolder}` : `${root}/tablespaces/${tablespace}`;

/** What no file's path tells. */
const layoutSchema = z.object({
  /** Of the data folder and of each tablespace, parents before children. */
  folders: z.record(z.string(), z.array(z.string())),
  tablespaces: z.array(z.object({ oid: z.string().regex(/^\d+$/), location: z.string() })),
});
export type Layout = z.infer<typeof layoutSchema>;

/** @throws RefloatError point.damaged */
export const parseLayout = (content: Uint8Array): Layout => {
  try {
    return layoutSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
  } catch (error) {
    throw new RefloatError("point.damaged", `${layoutName} of the point cannot be read`, { cause: error });
  }
};
