/** The keys of an entry of `provision:` that is packages. */
import { z } from "zod";
import type { ProvisionContext } from "../../core/ports/provision.ts";

export const packagesOptionsSchema = z
  .strictObject({
    of: z
      .array(z.string().min(1))
      .min(1)
      .meta({
        description: "Components of type process, with packages: captured, whose packages are to be there.",
        examples: [["app"]],
      }),
    replace: z.enum(["older", "any"]).optional().meta({
      description:
        "What that is installed in another version may be replaced by the point's: what is older, or any, which may take newer ones back. None when left out.",
    }),
    root: z.string().regex(/^\//, "root is an absolute path").optional().meta({
      description: "Root of the system that they are installed into, such as that of a container; / when left out.",
    }),
  })
  .meta({ description: "Packages of Debian that a point was captured with, installed without a network." });
export type PackagesOptions = z.infer<typeof packagesOptionsSchema>;

export type PackagesContext = ProvisionContext<PackagesOptions>;

export const rootOf = ({ options }: PackagesContext): string => options.root ?? "/";
