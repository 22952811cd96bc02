/** Handles of the files that were read last: a small read then costs one round trip instead of two. Files of a vault never change. */
import { closeHandle, openToRead } from "./sftp-files.ts";
import type { SshSession } from "./ssh-session.ts";

const mostHandles = 16;

type OpenHandle = { readonly session: SshSession; readonly handle: Promise<Buffer>; users: number; dropped: boolean };

export class OpenHandles {
  /** In the order of their last use: a Map keeps the order of insertion. */
  readonly #open = new Map<string, OpenHandle>();

  async use<Result>(session: SshSession, path: string, act: (handle: Buffer) => Promise<Result>): Promise<Result> {
    const known = this.#open.get(path);
    const open =
      known?.session === session ? known : { session, handle: openToRead(session, path), users: 0, dropped: false };
    this.#open.delete(path);
    this.#open.set(path, open);
    open.users += 1;
    try {
      return await act(await open.handle);
    } catch (error) {
      this.#drop(path, open);
      throw error;
    } finally {
      open.users -= 1;
      if (open.dropped) this.#closeUnused(open);
      this.#shrink();
    }
  }

  forget(path: string): void {
    const open = this.#open.get(path);
    if (open !== undefined) this.#drop(path, open);
  }

  #shrink(): void {
    for (const [path, open] of this.#open) {
      if (this.#open.size <= mostHandles) return;
      this.#drop(path, open);
    }
  }

  #drop(path: string, open: OpenHandle): void {
    if (this.#open.get(path) === open) this.#open.delete(path);
    if (open.dropped) return;
    open.dropped = true;
    this.#closeUnused(open);
  }

  #closeUnused({ session, handle, users }: OpenHandle): void {
    if (users > 0) return;
    // With a lost connection its handles are closed as well.
    handle.then(async (opened) => closeHandle(session, opened)).catch(() => undefined);
  }
}
