/** The keys of a `terraform` component, and what they mean once references are resolved. */
import { z } from "zod";
import type { DriverContext } from "../../../core/ports/driver.ts";
import { bindStablePath, stablePathPattern } from "../../../platform/path-operations.ts";

export const terraformOptionsSchema = z
  .strictObject({
    path: z
      .string()
      .regex(stablePathPattern, "path is absolute and not / itself, such as /srv/shop/infrastructure")
      .meta({
        description: "Folder of the root module, absolute, where terraform init was run. It is switched as a whole.",
      }),
    program: z.string().min(1).optional().meta({
      description: "The program, by its name or absolute path: terraform when left out.",
    }),
    environment: z
      .record(z.string().regex(/^[A-Za-z_]\w*$/), z.string())
      .optional()
      .meta({
        description:
          "Variables for the program, such as AWS_PROFILE or TF_VAR_region: what its backend asks for. Secrets by reference: ${file:/path}, ${env:NAME}.",
      }),
  })
  .meta({ description: "A Terraform configuration with its state." });
export type TerraformOptions = z.infer<typeof terraformOptionsSchema>;

export type TerraformContext = DriverContext<TerraformOptions>;

/** The stable path: absolute, without a trailing slash. */
export const stablePathOf = (context: TerraformContext): Promise<string> =>
  bindStablePath(context.bind, context.options.path, `path of ${context.component}`);
