/**
 * The declaration: what a person writes in `refloat.yaml`, after parsing. Names and forms are those of the file.
 * The keys that belong to one technology (`url` of postgres, `release` of process) are the driver's own schema;
 * here a component is its common keys plus `options`, already validated by that schema.
 *
 * Strings may hold references. With a dot they name an output of a component (`${db.url}`, `${self.port}`);
 * with a colon they name a secret held elsewhere (`${file:/etc/x}`, `${env:X}`, `${command:pass show x}`).
 * They are kept as written: a plan and a manifest hold references, never their values.
 */
import { z } from "zod";
import { durationTextSchema } from "./duration-text.ts";
import { nameSchema } from "./identifiers.ts";
import { jsonObjectSchema } from "./json.ts";
import { notifyTargetSchema } from "./notification.ts";
import { concurrencySchema, stepRulesByNameSchema } from "./step-rules.ts";

export { durationTextSchema } from "./duration-text.ts";

/** `5MB`, `500kB`, `16MiB`; kept as text, read by core/text/byte-size.ts. */
export const byteSizeTextSchema = z
  .string()
  // Without a flag, which no JSON Schema has.
  .regex(/^\d+(\.\d+)? ?([kmgtKMGT][iI]?)?[bB]$/, "a size is a number with a unit, such as 500kB, 5MB or 2GiB")
  .meta({ description: "A number of bytes: 500kB, 5MB, 2GiB." });

export const limitSchema = z
  .strictObject({ upload: byteSizeTextSchema.optional(), download: byteSizeTextSchema.optional() })
  .meta({ description: "How much may go to the vault and come from it in a second.", examples: [{ upload: "5MB" }] });

export const expectSchema = z
  .strictObject({
    status: z
      .int()
      .min(100)
      .max(599)
      .optional()
      .meta({ description: "The HTTP status that is right; any 2xx when left out." }),
    body: z.string().optional().meta({ description: "Text that the answer must hold." }),
  })
  .meta({ description: "What a right answer looks like." });

/** One check as it stands in the file: exactly one kind (`http:`, `tcp:`, `sql:`, `command:`) with that kind's own keys. */
export const checkDeclarationSchema = z.object({
  kind: z.string(),
  options: jsonObjectSchema,
  timeoutMs: z.int().positive(),
});
export type CheckDeclaration = z.infer<typeof checkDeclarationSchema>;

export const objectivesSchema = z
  .strictObject({
    rto: durationTextSchema.optional(),
    rpo: durationTextSchema.optional(),
    mtd: durationTextSchema.optional(),
  })
  .meta({
    description:
      "How long the service may be away (rto), how much may be lost (rpo), and when the business is harmed for good (mtd).",
  });

/** A set of values that is asked for in another way than by the component's own driver: one kind (`http:`, `command:`) with that kind's own keys. */
export const setDeclarationSchema = z.object({
  kind: z.string(),
  options: jsonObjectSchema,
  timeoutMs: z.int().positive(),
});
export type SetDeclaration = z.infer<typeof setDeclarationSchema>;

/** One component, and its set: what its own driver is asked (a query, a pattern), or a declared set. */
const sideSchema = z.record(nameSchema, z.union([z.string(), setDeclarationSchema]));
export type InvariantSide = z.infer<typeof sideSchema>;

export const invariantSchema = z.object({ every: sideSchema, in: sideSchema });

const keepCount = (what: string) =>
  z
    .int()
    .positive()
    .optional()
    .meta({ description: `Of how many ${what} the newest point is kept.` });

export const keepSchema = z.strictObject({
  last: z.int().positive().optional().meta({ description: "How many of the newest points are kept." }),
  hourly: keepCount("hours"),
  daily: keepCount("days"),
  weekly: keepCount("weeks"),
  monthly: keepCount("months"),
  yearly: keepCount("years"),
  tags: z
    .array(z.string().min(1))
    .optional()
    .meta({ description: "Points that were captured with one of these tags are kept." }),
});
export type Keep = z.infer<typeof keepSchema>;

export const lockModeSchema = z.enum(["governance", "compliance"]);
export type LockMode = z.infer<typeof lockModeSchema>;

/** How long no one may delete a point; `compliance`: not even an administrator. Kept by stores that can lock. */
export const lockSchema = z.strictObject({
  for: durationTextSchema,
  mode: lockModeSchema.optional(),
});

/** `environment:` of whatever runs commands. */
export const environmentSchema = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
  z.union([z.string(), z.number(), z.boolean()]),
);

/** In which way a service was held still: by its own lines, by a lock that its transactions share, by freezing the file system that all of it lies on. */
export const holdSchema = z.enum(["lines", "lock", "filesystem"]);

const lockKeyPart = z.int().min(-2_147_483_648).max(2_147_483_647);

/** A lock that every transaction of the application shares, so that who has it alone knows of none under way. */
export const commitLockSchema = z.strictObject({
  in: nameSchema.meta({ description: "The component whose server keeps it: of type postgres or postgres-cluster." }),
  advisory: z.union([z.int(), z.tuple([lockKeyPart, lockKeyPart])]).meta({
    description: "Key of the advisory lock: one number, or two as in pg_advisory_lock_shared(7, 11).",
  }),
  database: z.string().min(1).optional().meta({
    description: "The database that the application takes it in; that of the component's url when left out.",
  }),
});
export type CommitLockDeclaration = z.infer<typeof commitLockSchema>;

/** How the service is held still while a point is taken: by both lines, by the lock or by its file system; check-quiesce.ts sees that it is one of these. */
export const quiesceSchema = z
  .strictObject({
    lock: commitLockSchema.optional().meta({
      description:
        "Advisory lock that the application takes shared from before the first to after the last commit of each of its transactions, and Refloat alone while it holds the service. It ends with its session, at atMost by the server itself.",
      examples: [{ in: "db", advisory: 4711 }],
    }),
    filesystem: z
      .string()
      .regex(/^\//, "is no absolute path")
      .optional()
      .meta({
        description:
          "Folder on the file system (ext4 or xfs) that all components lie on: it is frozen while they are read, and whoever writes to it waits. Never one that Refloat, the vault or the system itself writes to.",
        examples: ["/srv/shop"],
      }),
    freeze: z
      .string()
      .min(1)
      .optional()
      .meta({
        description:
          "Shell line after whose end nothing is written to any component. It is ended when atMost is over, and thaw runs after it in any case.",
        examples: ["curl -fsS -X POST http://127.0.0.1:8080/admin/pause"],
      }),
    thaw: z
      .string()
      .min(1)
      .optional()
      .meta({
        description:
          "Shell line that lets the service write again. It must do no harm where nothing is frozen: it may run more than once.",
        examples: ["curl -fsS -X POST http://127.0.0.1:8080/admin/resume"],
      }),
    atMost: durationTextSchema.optional().meta({
      description:
        "How long the service may be held, from the begin of freeze or from when the lock is asked for; 30s when left out. When it is over thaw runs, or the lock is given back, whatever is still to be read, and the point is not quiesced.",
    }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Environment of both lines, secrets among it; never on a command line." }),
  })
  .meta({ description: "The service is held still while it is captured, so that all of a point is of one moment." });
export type QuiesceDeclaration = z.infer<typeof quiesceSchema>;

export const approveSchema = z
  .strictObject({
    before: z.literal("cutover").optional().meta({ description: "What waits for it; the cutover when left out." }),
    by: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .meta({ description: "Users or groups of the system whose yes counts; anybody's when left out." }),
    count: z
      .int()
      .min(1)
      .max(10)
      .optional()
      .meta({ description: "How many different people must say yes; 1 when left out." }),
    expires: durationTextSchema.optional().meta({ description: "How long a yes holds; for good when left out." }),
  })
  .meta({
    description: "Who must say yes before a recovery changes what is live.",
    examples: [{ before: "cutover", by: ["oncall", "dba"], count: 2, expires: "4h" }],
  });

export const fenceSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/[a-z0-9]/i, "a name has a letter or a digit")
      .meta({ description: "What is fenced off, in a few words: old primary." }),
    command: z.string().min(1).optional().meta({
      description:
        "Shell line after whose end nothing over there acknowledges a write: power off, a closed port of the switch. A person is asked when it is left out or fails.",
    }),
    proof: z.string().min(1).optional().meta({
      description:
        "Line that ends with 0 only when that is so. It is asked before the command and after it, and of an outcome that is not known.",
    }),
    release: z.string().min(1).optional().meta({
      description: "Line that lets it work again, for a cutover that is taken back.",
    }),
    expect: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "What a person is to have seen who says that it is dead." }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Variables for the lines. The place for references, secret ones too." }),
    timeout: durationTextSchema.optional().meta({ description: "How long a line may take: 60s." }),
  })
  .refine(({ proof, command }) => proof === undefined || command !== undefined, "a proof goes with a command")
  .refine(({ release, command }) => release === undefined || command !== undefined, "a release goes with a command")
  .meta({ description: "What must not acknowledge a write any more, and is not stopped by a component." });
export type FenceDeclaration = z.infer<typeof fenceSchema>;

export const manualSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/[a-z0-9]/i, "a name has a letter or a digit")
      .meta({ description: "What is done, in a few words." }),
    before: z
      .enum(["restore", "cutover"])
      .optional()
      .meta({ description: "What waits for it; the cutover when neither before nor after is said." }),
    after: z
      .literal("cutover")
      .optional()
      .meta({ description: "It is done once traffic is admitted, before the probe." }),
    do: z.string().min(1).meta({ description: "What the person is to do; may name outputs, such as ${app.address}." }),
    expect: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "How one sees that it worked; the person must then say what was seen." }),
    takes: durationTextSchema.optional().meta({ description: "How long it takes, for the forecast." }),
  })
  .refine(
    ({ before, after }) => before === undefined || after === undefined,
    "a step is done before or after, not both",
  )
  .meta({ description: "A step that a person does." });
export type ManualDeclaration = z.infer<typeof manualSchema>;

export const componentDeclarationSchema = z.object({
  name: nameSchema,
  type: z.string(),
  dependsOn: z.array(z.string()),
  uses: z.array(z.string()),
  /** What it shares with other components, of which `limits:` says how many steps may use it at once. */
  resources: z.array(z.string()).optional(),
  checks: z.array(checkDeclarationSchema),
  /** Validated by the driver's schema; strings in it may hold references. */
  options: jsonObjectSchema,
});
export type ComponentDeclaration = z.infer<typeof componentDeclarationSchema>;

/** One entry of `provision:`: what must be there before anything is restored. */
export const provisionDeclarationSchema = z.object({
  name: nameSchema,
  type: z.string(),
  /** Needed only while a recovery runs: the plan's last step tears it down. */
  temporary: z.literal(true).optional(),
  checks: z.array(checkDeclarationSchema),
  /** Validated by the driver's schema; strings in it may hold references. */
  options: jsonObjectSchema,
});
export type ProvisionDeclaration = z.infer<typeof provisionDeclarationSchema>;

/** One entry of `cutover:`, its kind (`haproxy`, `nginx`, `pgbouncer`, `dns`, `address`, `command`) and that kind's own keys, `to` among them. */
export const cutoverDeclarationSchema = z.object({
  kind: z.string(),
  options: jsonObjectSchema,
  to: z.string().optional(),
});
export type CutoverDeclaration = z.infer<typeof cutoverDeclarationSchema>;

export const serviceDeclarationSchema = z.object({
  name: nameSchema,
  description: z.string().optional(),
  criticality: z.enum(["critical", "high", "normal", "low"]).optional(),
  owners: z.array(z.string()),
  objectives: objectivesSchema,
  schedule: z.string().optional(),
  keep: keepSchema.optional(),
  lock: lockSchema.optional(),
  quiesce: quiesceSchema.optional(),
  /** The user journey at the stable name; an http check. */
  probe: checkDeclarationSchema.optional(),
  /** In the order of the file, in which one may refer to those before it. */
  provision: z.record(nameSchema, provisionDeclarationSchema).optional(),
  components: z.record(nameSchema, componentDeclarationSchema),
  invariants: z.record(nameSchema, invariantSchema),
  cutover: z.array(cutoverDeclarationSchema),
  /** In the order of the file. All are fenced off at once. */
  fence: z.array(fenceSchema).optional(),
  approve: approveSchema.optional(),
  /** In the order of the file, which is the order in which they are done. */
  manual: z.array(manualSchema).optional(),
  /** By kind of step or by step. */
  steps: stepRulesByNameSchema.optional(),
  limits: concurrencySchema.optional(),
  /** Services that it needs, directly or not: what their outputs are told from. Put together from the file, written by nobody. */
  needs: z
    .record(
      nameSchema,
      z.object({
        components: z.record(nameSchema, componentDeclarationSchema),
        provision: z.record(nameSchema, provisionDeclarationSchema).optional(),
      }),
    )
    .optional(),
});
export type ServiceDeclaration = z.infer<typeof serviceDeclarationSchema>;
export type InvariantDeclaration = z.infer<typeof invariantSchema>;

/** How an S3 store is reached. What is left out is found as AWS's own tools find it: environment, profile, machine role. */
export const s3SettingsSchema = z
  .strictObject({
    accessKeyId: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Access key; AWS_ACCESS_KEY_ID, a profile or the machine's role when left out." }),
    secretAccessKey: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "Where the secret of the access key is read from.",
        examples: ["${file:/etc/refloat/s3-secret}", "${env:MARKET_S3_SECRET}"],
      }),
    sessionToken: z.string().min(1).optional().meta({ description: "Where the token of a session is read from." }),
    profile: z.string().min(1).optional().meta({ description: "Profile of ~/.aws/config and ~/.aws/credentials." }),
    region: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Region of the bucket; AWS_REGION or AWS_DEFAULT_REGION when left out, else us-east-1." }),
    pathStyle: z.boolean().optional().meta({
      description: "Bucket in the path (true) or in the host name (false); false for AWS alone when left out.",
    }),
    ca: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "File of the certificate authority that signed the server's." }),
    connections: z
      .int()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: "Requests at once, for each thread; 10 when left out." }),
  })
  .meta({ description: "How an S3 store is reached." });
export type S3Declaration = z.infer<typeof s3SettingsSchema>;

export const declarationSchema = z.object({
  vault: z.object({
    url: z.string(),
    password: z.string(),
    limit: limitSchema.optional(),
    cache: byteSizeTextSchema.optional(),
    sshConfig: z.string().optional(),
    s3: s3SettingsSchema.optional(),
  }),
  services: z.record(nameSchema, serviceDeclarationSchema),
  /** Who is told of runs and captures; absent where nobody is, and in what is read out of a vault alone. */
  notify: z.array(notifyTargetSchema).optional(),
});
export type Declaration = z.infer<typeof declarationSchema>;
