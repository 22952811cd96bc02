/** Who captures into an open repository, and whether something claimed may have been lost since. */

export class CaptureState {
  #active = 0;
  #tainted = false;

  begin(): void {
    this.#active += 1;
  }

  end(): void {
    this.#active -= 1;
  }

  /** Writing failed: blobs were claimed that are in no pack, and a snapshot that relied on them would have holes. */
  taint(): void {
    this.#tainted = true;
  }

  /** @returns whether the claims must be cleared before the next capture; none may be under way then */
  takeTaint(): boolean {
    if (!this.#tainted || this.#active > 0) return false;
    this.#tainted = false;
    return true;
  }
}
