import { expect, test } from "vitest";
import { differingType } from "./column-type.ts";

const definition = `
CREATE TABLE public.products (
    sku text NOT NULL,
    price numeric(12,4) DEFAULT 0 NOT NULL,
    "odd ""name" character varying(10) COLLATE "C",
    at timestamp with time zone DEFAULT now(),
    tags integer[],
    mood public.mood
);
`;

test("a type that is the same, whatever follows it", () => {
  for (const [column, type] of [
    ["sku", "text"],
    ["price", "numeric(12,4)"],
    ['odd "name', "character varying(10)"],
    ["at", "timestamp with time zone"],
    ["tags", "integer[]"],
    ["mood", "public.mood"],
    ["inherited", "text"],
  ] as const)
    expect([column, differingType(definition, column, type)]).toEqual([column, null]);
});

test("a type that is another one is named", () => {
  expect(differingType(definition, "price", "numeric(10,2)")).toBe("numeric(12,4)");
  expect(differingType(definition, "price", "numeric")).toBe("numeric(12,4)");
  expect(differingType(definition, 'odd "name', "character varying")).toBe("character varying(10)");
  expect(differingType(definition, "at", "timestamp without time zone")).toBe("timestamp with time zone");
  expect(differingType(definition, "tags", "integer")).toBe("integer[]");
});
