/** What people elsewhere are told of, and to whom: `notify:` of refloat.yaml, and one message of it. */
import { z } from "zod";
import { durationTextSchema } from "./duration-text.ts";
import { nameSchema } from "./identifiers.ts";

export const notificationEvents = [
  "run-started",
  "run-waiting",
  "run-succeeded",
  "run-failed",
  "capture-failed",
  "capture-overdue",
  "approval-overridden",
  "test",
] as const;
export type NotificationEvent = (typeof notificationEvents)[number];

/** Told to all targets, whatever they have chosen: a gate that is broken open must be heard of. */
const toldToAll = ["approval-overridden", "test"] as const;
export const isToldToAll = (event: NotificationEvent): boolean => toldToAll.some((one) => one === event);

/** What a person can choose. */
const chosenEvents = notificationEvents.filter((event) => !isToldToAll(event));

const commonKeys = {
  on: z
    .array(z.enum(chosenEvents))
    .min(1)
    .optional()
    .meta({ description: "What is told; everything when left out.", examples: [["run-waiting", "run-failed"]] }),
  services: z.array(nameSchema).min(1).optional().meta({ description: "Of which services; of all when left out." }),
  timeout: durationTextSchema
    .optional()
    .meta({ description: "How long it may take, all tries together; 20s when left out.", examples: ["20s"] }),
};

export const webhookTargetSchema = z
  .strictObject({
    webhook: z
      .string()
      .min(1)
      .meta({
        description: "Address that a message is posted to. One that is a secret itself comes from a file.",
        examples: ["https://hooks.example.com/refloat", "${file:/etc/refloat/webhook}"],
      }),
    secret: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "Where the secret is read from that signs the message: HMAC-SHA-256, as X-Refloat-Signature.",
        examples: ["${file:/etc/refloat/webhook-secret}"],
      }),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "a header is a word"), z.string())
      .optional()
      .meta({
        description: "Headers that are sent along.",
        examples: [{ Authorization: "Bearer ${file:/etc/refloat/token}" }],
      }),
    template: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "The body instead of all fields as JSON: {{title}} stands for a field, escaped for a JSON string.",
        examples: ['{ "text": "{{title}}: {{message}}" }'],
      }),
    ...commonKeys,
  })
  .meta({ description: "Posts each message to an address." });

export const emailTargetSchema = z
  .strictObject({
    email: z
      .array(z.string().min(3))
      .min(1)
      .meta({ description: "Who gets the mail.", examples: [["oncall@example.com"]] }),
    from: z
      .string()
      .min(3)
      .meta({ description: "Who it is from.", examples: ["refloat@example.com"] }),
    smtp: z
      .string()
      .regex(/^smtps?:\/\//, "smtp://host:587 or smtps://host:465, with the user before the host")
      .meta({
        description: "The mail server, and the user that Refloat is there. smtps:// is encrypted from the beginning.",
        examples: ["smtp://refloat@mail.example.com:587"],
      }),
    password: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: "Where that user's password is read from.",
        examples: ["${file:/etc/refloat/smtp-password}"],
      }),
    subject: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "The subject, with fields as {{title}}.", examples: ["[{{service}}] {{title}}"] }),
    template: z.string().min(1).optional().meta({ description: "The text, with fields as {{message}}." }),
    ...commonKeys,
  })
  .meta({ description: "Sends each message as a mail." });

export const notifyTargetSchema = z.union([webhookTargetSchema, emailTargetSchema]);
export type WebhookTarget = z.infer<typeof webhookTargetSchema>;
export type EmailTarget = z.infer<typeof emailTargetSchema>;
export type NotifyTarget = z.infer<typeof notifyTargetSchema>;

/** One message; its keys are the fields of templates. Public: what is posted is this, as JSON. */
export const notificationSchema = z.object({
  schema: z.literal("refloat/notification/v1"),
  event: z.enum(notificationEvents),
  /** ISO 8601. */
  at: z.iso.datetime(),
  service: z.string(),
  host: z.string(),
  /** One line. */
  title: z.string(),
  /** Why, or what came of it; may be empty. */
  message: z.string(),
  /** A command that can be run as it stands; empty when there is none. */
  next: z.string(),
  run: z.int().positive().nullable(),
  /** Of the run. */
  state: z.string().nullable(),
});
export type Notification = z.infer<typeof notificationSchema>;
