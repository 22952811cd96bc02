/**
 * Turns single answers into incidents, as a customer would tell it: an incident begins with the first wrong or failed answer and
 * is over when answers have been right, at the normal rate, for a while. Pure: knows no HTTP and no clock.
 */

export type Answer = { readonly at: Date; readonly right: boolean; readonly reason?: string };

export type Incident = {
  readonly beganAt: Date;
  /** What was wrong with the first answer. */
  readonly reason: string;
  readonly badAnswers: number;
  /** The first right answer after the last bad one; null while it goes on. */
  readonly endedAt: Date | null;
};

export type Calm = {
  /** How long answers must have been right before an incident counts as over. */
  readonly durationMs: number;
  /** How many of them there must have been in that time: silence is not health. */
  readonly answers: number;
};

export class IncidentWatch {
  readonly #calm: Calm;
  readonly #incidents: Incident[] = [];
  #rightSince: Date | null = null;
  #rightAnswers = 0;

  constructor(calm: Calm) {
    this.#calm = calm;
  }

  get incidents(): readonly Incident[] {
    return this.#incidents;
  }

  get current(): Incident | null {
    const last = this.#incidents.at(-1);
    return last?.endedAt === null ? last : null;
  }

  /** @returns what this answer changed: an incident `began`, is `over`, or null */
  note(answer: Answer): { readonly change: "began" | "over"; readonly incident: Incident } | null {
    return answer.right ? this.#noteRight(answer) : this.#noteBad(answer);
  }

  #noteBad(answer: Answer): { readonly change: "began"; readonly incident: Incident } | null {
    this.#rightSince = null;
    this.#rightAnswers = 0;
    const open = this.current;
    if (open !== null) {
      this.#incidents[this.#incidents.length - 1] = { ...open, badAnswers: open.badAnswers + 1 };
      return null;
    }
    const incident = { beganAt: answer.at, reason: answer.reason ?? "wrong", badAnswers: 1, endedAt: null };
    this.#incidents.push(incident);
    return { change: "began", incident };
  }

  #noteRight(answer: Answer): { readonly change: "over"; readonly incident: Incident } | null {
    const open = this.current;
    if (open === null) return null;
    this.#rightSince ??= answer.at;
    this.#rightAnswers += 1;
    const calmForMs = answer.at.getTime() - this.#rightSince.getTime();
    if (calmForMs < this.#calm.durationMs || this.#rightAnswers < this.#calm.answers) return null;
    const incident = { ...open, endedAt: this.#rightSince };
    this.#incidents[this.#incidents.length - 1] = incident;
    return { change: "over", incident };
  }
}
