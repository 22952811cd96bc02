/** The keys of an entry of `provision:` that Terraform makes. */
import { z } from "zod";
import { durationTextSchema, environmentSchema } from "../../model/declaration.ts";

export const terraformSchema = z
  .strictObject({
    directory: z
      .string()
      .regex(/^\//, "directory is an absolute path")
      .meta({ description: "Folder of the root module. Its backend says where its state is kept." }),
    variables: environmentSchema
      .optional()
      .meta({ description: "Variables of the module. The place for references, secret ones too." }),
    workspace: z
      .string()
      .regex(/^[A-Za-z0-9_-]+$/, "the name of a workspace")
      .optional()
      .meta({ description: "Workspace of its state; the default one when left out." }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Environment of terraform, such as credentials of its providers." }),
    lockTimeout: durationTextSchema
      .optional()
      .meta({ description: "How long to wait for who else holds the lock of the state: 10m." }),
  })
  .meta({ description: "Whatever a Terraform module describes." });
export type TerraformOptions = z.infer<typeof terraformSchema>;
