/**
 * The keys of `refloat.yaml` as a person writes them, apart from those that a driver brings. The parser reads the file by these,
 * the published JSON Schema is generated from them. What stands as `unknown` here (components, checks, probe, cutover entries)
 * is completed by the schemas of the drivers.
 */
import { z } from "zod";
import {
  approveSchema,
  byteSizeTextSchema,
  durationTextSchema,
  fenceSchema,
  keepSchema,
  limitSchema,
  lockSchema,
  manualSchema,
  objectivesSchema,
  quiesceSchema,
  s3SettingsSchema,
} from "./declaration.ts";
import { nameSchema } from "./identifiers.ts";
import { concurrencySchema, stepRulesByNameSchema } from "./step-rules.ts";

export const vaultFileSchema = z
  .strictObject({
    url: z
      .string()
      .min(1)
      .meta({
        description: "Where the vault lies, a restic repository: a folder, a place on an SSH server, or a bucket.",
        examples: ["/backup/vault", "sftp:backup@host:/srv/vault", "s3:https://s3.example.com/bucket/prefix"],
      }),
    password: z
      .string()
      .min(1)
      .meta({
        description: "Where the vault's password is read from.",
        examples: ["${file:/etc/refloat/password}", "${env:REFLOAT_PASSWORD}", "${command:pass show refloat/vault}"],
      }),
    limit: limitSchema.optional(),
    cache: byteSizeTextSchema.optional().meta({
      description:
        "How large the copies of a remote vault's indexes and trees may grow on this machine; 1GB when left out.",
      examples: ["5GB"],
    }),
    sshConfig: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "For a vault over sftp: the file that is read instead of ~/.ssh/config.",
        examples: ["/etc/refloat/ssh_config"],
      }),
    s3: s3SettingsSchema.optional(),
  })
  .meta({ description: "Where recovery points are kept." });

export const declarationFileSchema = z.strictObject({
  vault: vaultFileSchema,
  notify: z
    .array(z.unknown())
    .optional()
    .meta({ description: "Who is told of runs and captures, by webhook or mail. Each entry starts with its kind." }),
  services: z
    .record(nameSchema, z.unknown())
    .meta({ description: "Services by name: what users miss when it is away." }),
});

const sideFileSchema = (word: "every" | "in", what: string) =>
  z
    .record(nameSchema, z.unknown())
    .refine((side) => Object.keys(side).length === 1, `${word} names one component`)
    .meta({ description: `${what}: a component, and a query or pattern of its own, or where its values are asked.` });

export const invariantFileSchema = z
  .strictObject({
    every: sideFileSchema("every", "What names something"),
    in: sideFileSchema("in", "What must be there"),
  })
  .meta({
    description:
      "Every value of the first set exists in the second: a missing one is a broken link and fails; a surplus one is an orphan and is reported. Also the capture order.",
  });

export const serviceFileSchema = z
  .strictObject({
    description: z.string().optional().meta({ description: "What the service is, for people." }),
    criticality: z
      .enum(["critical", "high", "normal", "low"])
      .optional()
      .meta({ description: "How much the business depends on it." }),
    owners: z.array(z.string()).optional().meta({ description: "Who is asked when it is away." }),
    objectives: objectivesSchema.optional(),
    schedule: z
      .string()
      .optional()
      .meta({
        description:
          "How often a point is to be taken: an interval or a cron expression. `refloat status` tells what is overdue.",
        examples: ["every 30m", "0 */4 * * *"],
      }),
    keep: keepSchema
      .optional()
      .meta({ description: "Which points are kept. `refloat vault prune` lets the others expire." }),
    lock: z
      .union([durationTextSchema, lockSchema])
      .optional()
      .meta({
        description: "How long no one may delete a point. Enforced by a bucket with Object Lock, recorded elsewhere.",
        examples: ["7d"],
      }),
    quiesce: quiesceSchema.optional(),
    probe: z.unknown().optional(),
    provision: z.record(nameSchema, z.unknown()).optional().meta({
      description:
        "What must be there before anything is restored, by name: made where it is not. Components refer to its outputs.",
    }),
    components: z.record(nameSchema, z.unknown()).optional().meta({
      description:
        "What the service is made of, by name: databases, folders, applications. May be left out of a runbook of manual steps alone.",
    }),
    invariants: z
      .record(nameSchema, invariantFileSchema)
      .optional()
      .meta({ description: "What must hold between components, by name. Also the order of capture." }),
    fence: z.array(fenceSchema).optional().meta({
      description:
        "What is fenced off before a cutover, beyond what components stop: by a command, or by a person's word.",
    }),
    approve: approveSchema.optional(),
    manual: z
      .array(manualSchema)
      .optional()
      .meta({ description: "Steps of a recovery that people do, in the order in which they are done." }),
    steps: stepRulesByNameSchema.optional(),
    limits: concurrencySchema.optional(),
    cutover: z.array(z.unknown()).optional().meta({
      description: "How traffic reaches the new side. Database rename and path swap need no line here.",
    }),
  })
  .meta({ description: "One service: its components, objectives and how to tell that it works." });

/** Keys that every component has, whatever its type. */
export const componentFileSchema = z.strictObject({
  type: z.string().meta({ description: "The technology: which driver captures and restores it." }),
  dependsOn: z.array(z.string()).optional().meta({
    description: "Components that must be there first. A reference such as ${db.url} says the same by itself.",
  }),
  uses: z.array(z.string()).optional().meta({
    description:
      "Components that it calls while it runs, in any order; may form a circle. Asked their checks after a cutover.",
  }),
  resources: z.array(nameSchema).optional().meta({
    description:
      "What it shares with other components (a disk, a server); limits: says how many steps may use it at once.",
  }),
  checks: z.array(z.unknown()).optional().meta({
    description: "How to tell that it works; asked of each restored instance, and of the source at capture.",
  }),
});

/** Keys that every entry of `provision:` has, whatever its type. */
export const provisionFileSchema = z.strictObject({
  type: z.string().meta({ description: "How it is made." }),
  temporary: z.boolean().optional().meta({
    description: "It is needed only while a recovery runs: what the recovery made of it is torn down at its end.",
  }),
  checks: z.array(z.unknown()).optional().meta({
    description: "How to tell that it works; asked before anything is restored.",
  }),
});

/** Keys that every check has, whatever its kind. */
export const checkFileSchema = z.object({
  timeout: durationTextSchema.optional().meta({ description: "How long an answer may take; 30s when left out." }),
});

/** Keys that every set of an invariant has, whatever its kind. */
export const setFileSchema = z.object({
  timeout: durationTextSchema.optional().meta({ description: "How long all of it may take; 5m when left out." }),
});

/** Keys that every entry of `cutover:` has, whatever its kind. */
export const cutoverFileSchema = z.object({
  to: z
    .string()
    .optional()
    .meta({ description: "Where traffic goes: an address of the new side.", examples: ["${app.address}"] }),
});
