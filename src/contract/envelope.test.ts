import { describe, expect, test } from "vitest";
import { z } from "zod";
import { RefloatError } from "../model/refloat-error.ts";
import {
  envelope,
  errorEnvelope,
  errorEnvelopeSchema,
  eventEnvelope,
  eventEnvelopeSchema,
  resultEnvelopeSchema,
} from "./envelope.ts";
import { resultSchemas } from "./result-schemas.ts";

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("an answer", () => {
  test("names its schema, says whether it went well, and is read by that schema", () => {
    const printed = throughJson(envelope("vault-init", { location: "/backup/vault", id: "ab12" }));
    expect(printed).toEqual({
      schema: "refloat/vault-init/v1",
      ok: true,
      exit: 0,
      data: { location: "/backup/vault", id: "ab12" },
    });
    expect(resultEnvelopeSchema("vault-init").parse(printed)).toEqual(printed);
    expect(resultEnvelopeSchema("points").safeParse(printed).success).toBe(false);
  });

  test("may hold what went wrong as well", () => {
    const error = new RefloatError("source.unreachable", "1 fault would stop a capture", {
      state: "nothing was changed",
      nextCommand: "refloat validate --live",
    });
    const printed = throughJson(
      envelope("validate-live", { ok: false, subjects: [] }, { exit: error.entry.exit, error }),
    );
    expect(printed).toEqual({
      schema: "refloat/validate-live/v1",
      ok: false,
      exit: 4,
      data: { ok: false, subjects: [] },
      error: {
        code: "source.unreachable",
        message: "1 fault would stop a capture",
        state: "nothing was changed",
        next: "refloat validate --live",
        context: {},
        diagnostics: [],
      },
    });
    expect(resultEnvelopeSchema("validate-live").parse(printed)).toEqual(printed);
  });
});

test("an error says the command, the exit status and the places", () => {
  const error = new RefloatError("config.invalid", "refloat.yaml has 1 mistake", {
    diagnostics: [
      {
        severity: "error",
        code: "config.unknown-key",
        message: 'vault has no "passwrod"',
        file: "refloat.yaml",
        line: 3,
        column: 3,
        length: 8,
        excerpt: "  passwrod: x",
        path: "vault",
      },
    ],
  });
  const printed = throughJson(errorEnvelope(error, "plan"));
  expect(printed).toMatchObject({ schema: "refloat/error/v1", ok: false, exit: 2, command: "plan" });
  expect(errorEnvelopeSchema.parse(printed)).toEqual(printed);
  expect(errorEnvelopeSchema.parse(throughJson(errorEnvelope(error, null))).command).toBeNull();
});

test("events are read one to a line", () => {
  const printed = throughJson(eventEnvelope("capture", { type: "end", component: "db", sizeBytes: 12 }));
  expect(printed).toEqual({
    schema: "refloat/event/v1",
    event: "capture",
    data: { type: "end", component: "db", sizeBytes: 12 },
  });
  expect(eventEnvelopeSchema.parse(printed)).toEqual(printed);
});

test("every answer can be published as a JSON Schema", () => {
  for (const schema of Object.values(resultSchemas))
    expect(z.toJSONSchema(schema, { io: "output" })).toBeTypeOf("object");
});
