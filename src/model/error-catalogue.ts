/**
 * Every error that a person can meet: stable code, exit code, HTTP status, kind and the sentence it starts with.
 * `docs/errors.md` and `--help` are generated from it; a test fails when they differ. Codes are never reused.
 */
export type ErrorKind = "retryable" | "permanent" | "operator" | "bug";

export type ErrorEntry = {
  /** 2 input, 3 refused and nothing changed, 4 failed with live untouched, 5 failed and undone, 6 needs a person, 7 interrupted, 70 bug. */
  readonly exit: 2 | 3 | 4 | 5 | 6 | 7 | 70;
  readonly http: number;
  readonly kind: ErrorKind;
  /** What it means, for the documents. */
  readonly meaning: string;
};

export const errorCatalogue = {
  usage: { exit: 2, http: 400, kind: "permanent", meaning: "The command line does not say what is meant." },
  interrupted: {
    exit: 7,
    http: 409,
    kind: "retryable",
    meaning: "A person or the system told the command to stop before its end.",
  },
  "confirm.needed": {
    exit: 3,
    http: 409,
    kind: "operator",
    meaning: "Nobody can be asked here, and neither --yes nor the digest of a plan that was shown was given.",
  },
  "confirm.declined": { exit: 3, http: 409, kind: "operator", meaning: "The person who was asked did not say yes." },
  "output.failed": {
    exit: 4,
    http: 500,
    kind: "permanent",
    meaning: "The command ended well, but its answer could not be written to standard output.",
  },
  "config.not-found": {
    exit: 2,
    http: 400,
    kind: "permanent",
    meaning: "There is no refloat.yaml where it was looked for.",
  },
  "config.exists": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "There is a refloat.yaml already where one was to be written.",
  },
  "config.unwritable": {
    exit: 3,
    http: 500,
    kind: "permanent",
    meaning: "refloat.yaml, or the file with the vault's password, could not be written.",
  },
  "config.invalid": {
    exit: 2,
    http: 400,
    kind: "permanent",
    meaning: "refloat.yaml has mistakes; each is named with its place.",
  },
  "time.unclear": { exit: 2, http: 400, kind: "permanent", meaning: "A time expression cannot be read." },
  "clock.doubtful": {
    exit: 3,
    http: 409,
    kind: "operator",
    meaning: "The clock of this machine seems wrong, and what depends on it was not done.",
  },
  "service.unknown": { exit: 2, http: 404, kind: "permanent", meaning: "No service of that name is declared." },
  "component.unknown": { exit: 2, http: 404, kind: "permanent", meaning: "The service has no component of that name." },
  "point.unknown": { exit: 2, http: 404, kind: "permanent", meaning: "No recovery point fits what was asked." },
  "point.ambiguous": {
    exit: 2,
    http: 409,
    kind: "permanent",
    meaning: "A short id fits more than one recovery point.",
  },
  "point.damaged": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "A recovery point has lost a part and cannot be recovered whole.",
  },
  "log.gap": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The vault does not hold the part of a component's log that leads to this moment.",
  },
  "log.unknown-target": {
    exit: 2,
    http: 404,
    kind: "permanent",
    meaning: "The place in a component's log that --at names is not in what the vault holds, or has no data.",
  },
  "log.damaged": {
    exit: 4,
    http: 500,
    kind: "permanent",
    meaning: "A part of a component's log could not be replayed, and what comes after it is missing.",
  },
  "log.diverged": {
    exit: 3,
    http: 409,
    kind: "operator",
    meaning: "A source's log is another history than what the vault holds under the same name.",
  },
  "rows.changed": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "A row, or the side that is live, is no longer as it was when it was compared, and nothing was put back.",
  },
  "mend.unknown": { exit: 2, http: 404, kind: "permanent", meaning: "Nothing was proposed under that digest." },
  "mark.unknown": { exit: 2, http: 404, kind: "permanent", meaning: "The service has no mark of that name." },
  "mark.ambiguous": {
    exit: 2,
    http: 409,
    kind: "permanent",
    meaning: "More than one mark has that name, and only one can be meant.",
  },
  "mark.unfit": {
    exit: 2,
    http: 400,
    kind: "permanent",
    meaning: "A mark cannot have this name: --at would read it as something else.",
  },
  "incident.none": { exit: 2, http: 404, kind: "permanent", meaning: "The service has no open incident." },
  "plan.unknown": {
    exit: 2,
    http: 404,
    kind: "permanent",
    meaning: "No plan with that digest was shown on this machine.",
  },
  "plan.outdated": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The world has changed since the plan was shown: it would not do what was decided on.",
  },
  "plan.no-space": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "A file system has too little room for what the plan restores.",
  },
  "plan.impossible": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The request cannot be planned for this service.",
  },
  "recover.would-break": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "What is kept names what came into a recovered component after the point; those links would be broken.",
  },
  "run.unknown": { exit: 2, http: 404, kind: "permanent", meaning: "No run with that number is known." },
  "run.in-progress": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "A recovery of this service is already going on, or waits to be resumed or cancelled.",
  },
  "approval.refused": {
    exit: 3,
    http: 403,
    kind: "operator",
    meaning: "The person is in none of the roles whose yes an approval gate takes.",
  },
  "run.wrong-state": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The run is not in a state in which this can be done.",
  },
  "run.fenced": {
    exit: 7,
    http: 409,
    kind: "permanent",
    meaning: "Another process has taken this run up; this one must stop.",
  },
  "run.interrupted": { exit: 7, http: 409, kind: "permanent", meaning: "The run was interrupted and can be resumed." },
  "run.failed": {
    exit: 4,
    http: 500,
    kind: "permanent",
    meaning: "A step failed before the cutover; live is untouched.",
  },
  "run.undone": {
    exit: 5,
    http: 500,
    kind: "permanent",
    meaning: "The cutover failed and was undone; the old side serves again.",
  },
  "run.needs-person": {
    exit: 6,
    http: 409,
    kind: "operator",
    meaning: "The run met something that only a person can settle.",
  },
  "undo.would-lose": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The new side has taken writes that an undo would lose.",
  },
  "step.check-failed": { exit: 4, http: 409, kind: "permanent", meaning: "A check of a restored instance failed." },
  "step.timeout": { exit: 4, http: 504, kind: "retryable", meaning: "A step took longer than its limit." },
  "step.stalled": { exit: 4, http: 504, kind: "retryable", meaning: "A step showed no progress for too long." },
  "step.effect-gone": {
    exit: 7,
    http: 409,
    kind: "retryable",
    meaning: "What a finished step had made is no longer there (a restart of the machine, say); it is done again.",
  },
  "step.stuck": {
    exit: 6,
    http: 504,
    kind: "operator",
    meaning: "A step was told to stop and did not; nothing was undone while it may still act.",
  },
  "instance.exists": {
    exit: 4,
    http: 409,
    kind: "permanent",
    meaning: "The new location is taken by something that this run did not make.",
  },
  "provision.absent": {
    exit: 4,
    http: 409,
    kind: "permanent",
    meaning: "What the service is to be provisioned with is not there (yet).",
  },
  "fence.failed": {
    exit: 5,
    http: 409,
    kind: "operator",
    meaning: "The old writer could not be stopped, or its end could not be proven.",
  },
  "cutover.conflict": {
    exit: 6,
    http: 409,
    kind: "operator",
    meaning: "What stands behind a stable name is neither what was seen before nor what was meant after.",
  },
  "cutover.refused": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The source does not allow its stable name to be switched.",
  },
  "arming.refused": {
    exit: 3,
    http: 409,
    kind: "operator",
    meaning:
      "What a recovery has disarmed cannot be armed now: it would act beside the old side, into its place, or while the recovery can be undone.",
  },
  "validate.faults": {
    exit: 4,
    http: 409,
    kind: "operator",
    meaning: "validate --live found what would stop a capture or a recovery.",
  },
  "metrics.unserved": {
    exit: 4,
    http: 409,
    kind: "operator",
    meaning: "The metrics cannot be served under the address that was named.",
  },
  "notify.no-target": {
    exit: 3,
    http: 409,
    kind: "operator",
    meaning: "Nobody is declared to be told: refloat.yaml has no notify.",
  },
  "notify.undelivered": {
    exit: 4,
    http: 502,
    kind: "retryable",
    meaning: "Somebody who was to be told could not be reached.",
  },
  "trace.undelivered": {
    exit: 4,
    http: 502,
    kind: "retryable",
    meaning: "The trace of a run did not reach the collector; the run is not touched by that.",
  },
  "ready.not": {
    exit: 4,
    http: 409,
    kind: "operator",
    meaning: "The service could not be recovered now as it is meant to be: ready names what stands in the way.",
  },
  "source.unreachable": { exit: 4, http: 503, kind: "retryable", meaning: "A source does not answer." },
  "source.denied": {
    exit: 4,
    http: 403,
    kind: "permanent",
    meaning: "A source refuses the credentials, or they lack a right.",
  },
  "source.failed": {
    exit: 4,
    http: 502,
    kind: "permanent",
    meaning: "A source failed while it was being read; no point was made.",
  },
  "source.unsupported": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "A source has something that this version cannot capture whole.",
  },
  "source.under-pressure": {
    exit: 4,
    http: 503,
    kind: "retryable",
    meaning:
      "A source is up and too busy: it suffered from a capture, which stopped itself, others hold what was needed, or it has no connection left.",
  },
  "service.frozen": {
    exit: 6,
    http: 500,
    kind: "operator",
    meaning: "A service that was frozen for a capture could not be thawed, and may still take no writes.",
  },
  "capture.no-space": {
    exit: 4,
    http: 507,
    kind: "permanent",
    meaning: "A capture needs room for a copy of its source, and there is too little; nothing was captured.",
  },
  "target.failed": { exit: 4, http: 502, kind: "permanent", meaning: "The place that data is restored to failed." },
  "target.exists": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "There is something already where data was to be written; nothing is ever overwritten.",
  },
  "program.missing": { exit: 3, http: 409, kind: "permanent", meaning: "A program that is needed is not installed." },
  "program.version": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "A program is too old (or too new) for the source.",
  },
  "program.failed": { exit: 4, http: 502, kind: "permanent", meaning: "A program ended with an error." },
  "secret.unavailable": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "A secret could not be read from where the file says it is.",
  },
  "vault.not-found": { exit: 3, http: 404, kind: "permanent", meaning: "There is no vault at the location." },
  "vault.away": {
    exit: 3,
    http: 409,
    kind: "operator",
    meaning: "A vault that this machine knows is not where it was: its disk is probably not mounted.",
  },
  "vault.unfit": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning:
      "The vault cannot take this copy: it is the same vault, or has points of the service that were made elsewhere.",
  },
  "vault.exists": { exit: 3, http: 409, kind: "permanent", meaning: "There is a vault at the location already." },
  "vault.wrong-password": {
    exit: 3,
    http: 403,
    kind: "permanent",
    meaning: "No key of the vault opens with this password.",
  },
  "vault.locked": {
    exit: 3,
    http: 409,
    kind: "retryable",
    meaning: "Another program holds the vault in exclusive use.",
  },
  "vault.damaged": {
    exit: 4,
    http: 500,
    kind: "permanent",
    meaning: "Data in the vault is missing or not what was written.",
  },
  "vault.store-failed": {
    exit: 4,
    http: 502,
    kind: "permanent",
    meaning: "The vault's store could not be read or written.",
  },
  "vault.no-space": {
    exit: 4,
    http: 507,
    kind: "permanent",
    meaning: "The vault's store is full; nothing was committed.",
  },
  "vault.unreachable": {
    exit: 4,
    http: 503,
    kind: "retryable",
    meaning:
      "The server that the vault lies on does not answer, or the connection to it was lost and did not come back.",
  },
  "vault.denied": {
    exit: 3,
    http: 403,
    kind: "permanent",
    meaning: "The server that the vault lies on refuses the credentials, or they lack a right.",
  },
  "vault.untrusted-server": {
    exit: 3,
    http: 409,
    kind: "operator",
    meaning: "The server shows a key that is not the one noted for it; nothing was sent to it.",
  },
  "vault.read-only": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The vault was opened as of an instant, and nothing can be written to the past.",
  },
  "vault.unsupported": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The vault's location or format is not supported by this version.",
  },
  "key.unknown": { exit: 2, http: 404, kind: "permanent", meaning: "No key of the vault fits what was asked." },
  "key.in-use": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The key that opened the vault is not removed by the session that it opened.",
  },
  "escrow.unknown": {
    exit: 2,
    http: 404,
    kind: "permanent",
    meaning: "The vault has no escrow bundle, or none that fits what was asked.",
  },
  "escrow.wrong-key": {
    exit: 3,
    http: 403,
    kind: "permanent",
    meaning: "The key does not open the escrow bundle: it has one of its own, which is not the vault's password.",
  },
  "escrow.shared-key": {
    exit: 3,
    http: 409,
    kind: "permanent",
    meaning: "The password for an escrow bundle opens the vault as well, and would keep nothing from who has it.",
  },
  "audit.broken": {
    exit: 4,
    http: 409,
    kind: "operator",
    meaning: "The audit log was altered, cut short or has lost an entry, or a point was removed by other means.",
  },
  "path.hostile": {
    exit: 4,
    http: 409,
    kind: "permanent",
    meaning: "A name in the vault would lead outside the target folder.",
  },
  "journal.failed": {
    exit: 4,
    http: 500,
    kind: "permanent",
    meaning: "The journal of runs could not be read or written.",
  },
  bug: { exit: 70, http: 500, kind: "bug", meaning: "Refloat itself is wrong; please report it." },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;
