/** How a task speaks to the one who asked. */
export type TaskIo = {
  /** Waits while nobody reads. */
  readonly write: (bytes: Uint8Array) => void;
  /** Says that what was asked for is there, before the end. */
  readonly ready: () => void;
  /** Returns when the one who asked lets go, or is gone. */
  readonly untilReleased: () => void;
};
