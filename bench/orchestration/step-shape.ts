/** The graphs that both engines execute, as plain data: which step needs which, and how long each takes. */
import { z } from "zod";
import { seededRandom } from "../vault/seeded-random.ts";

export const shapeSchema = z.object({
  concurrency: z.int().positive(),
  steps: z.array(z.object({ id: z.string(), needs: z.array(z.string()), durationMs: z.number() })),
});
export type StepShape = z.infer<typeof shapeSchema>;

/** Each step after the one before it: nothing can be done at the same time, so that only the cost of a step counts. */
export const chain = (count: number): StepShape => ({
  concurrency: 8,
  steps: Array.from({ length: count }, (_none, index) => ({
    id: `s${index}`,
    needs: index === 0 ? [] : [`s${index - 1}`],
    durationMs: 0,
  })),
});

export const independent = (count: number): StepShape => ({
  concurrency: 8,
  steps: Array.from({ length: count }, (_none, index) => ({ id: `s${index}`, needs: [], durationMs: 0 })),
});

/** Each step needs up to three of those before it. */
export const randomGraph = (count: number, seed: number, concurrency: number): StepShape => {
  const random = seededRandom(seed);
  return {
    concurrency,
    steps: Array.from({ length: count }, (_none, index) => ({
      id: `s${index}`,
      needs:
        index === 0
          ? []
          : [...new Set(Array.from({ length: Math.floor(random() * 4) }, () => `s${Math.floor(random() * index)}`))],
      durationMs: 20 + Math.floor(random() * 180),
    })),
  };
};
