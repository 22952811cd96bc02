/** What the main thread asks of a worker thread: one entry a call. All values are structured-cloneable. */
import type { BlobTableHandle } from "../blobs/blob-table.ts";
import type { ChunkParcelsHandle } from "../capture/chunk-parcels.ts";
import type { RepositoryVersion } from "../format/unpacked-file.ts";
import type { ExtractTask, ExtractedPart } from "../extract/extract-task.ts";
import type { VerifiedPack, VerifyPackTask } from "../verify/verify-task.ts";
import type { BlobType } from "../format/pack-header.ts";
import type { IndexedPack } from "../format/index-file.ts";
import type { PackedSettings } from "../stores/store-settings.ts";
import type { FolderPart, FolderTask, RootNode, WalkStart } from "../capture/folder-task.ts";

export type ThreadData = {
  readonly location: string;
  readonly settings: PackedSettings;
  readonly masterKey: Uint8Array;
  readonly version: RepositoryVersion;
  readonly polynomial: bigint;
  readonly table: BlobTableHandle;
  readonly parcels: ChunkParcelsHandle;
};

/** A chunk of a stream that another thread may store: it is the `at`th of the stream. */
export type HandedChunk = { readonly at: number; readonly parcel: number; readonly length: number };

export type StreamContent = {
  /** Ids of the blobs in order, 32 bytes each; zeros for a chunk that was handed over. */
  readonly content: Uint8Array;
  readonly sizeBytes: number;
  readonly newBytes: number;
  readonly sha256: string;
};

export type ThreadCalls = {
  /** Begins a stream whose bytes come through `slots`. @param mayHandOver there is another thread that could store some of its chunks */
  "stream-open": {
    readonly request: { readonly stream: number; readonly slots: SharedArrayBuffer; readonly mayHandOver: boolean };
    readonly reply: null;
  };
  /** The reply means that the bytes may be overwritten. */
  "stream-bytes": {
    readonly request: { readonly stream: number; readonly offset: number; readonly length: number };
    readonly reply: { readonly handed: readonly HandedChunk[] };
  };
  "stream-end": { readonly request: { readonly stream: number }; readonly reply: StreamContent };
  /** Stores the chunk of another thread's stream; who asked frees the parcel. */
  "save-chunk": {
    readonly request: { readonly parcel: number; readonly length: number };
    readonly reply: { readonly id: string; readonly newBytes: number };
  };
  "stream-discard": { readonly request: { readonly stream: number }; readonly reply: null };
  "walk-begin": {
    readonly request: WalkStart;
    readonly reply: RootNode;
  };
  "walk-folder": { readonly request: FolderTask; readonly reply: FolderPart };
  "extract-nodes": { readonly request: ExtractTask; readonly reply: ExtractedPart };
  "verify-pack": { readonly request: VerifyPackTask; readonly reply: VerifiedPack };
  /** What is under way for the job stops soon and fails. */
  "job-cancel": { readonly request: { readonly job: number }; readonly reply: null };
  "job-end": { readonly request: { readonly job: number }; readonly reply: null };
  /** Stores it unless it is there. */
  "save-blob": {
    readonly request: { readonly type: BlobType; readonly bytes: Uint8Array };
    readonly reply: { readonly id: string; readonly newBytes: number };
  };
  "read-blob": {
    readonly request: { readonly id: string; readonly type: BlobType };
    readonly reply: Uint8Array;
  };
  /** Reads blobs and stores each once more, in a new pack; verified on the way. */
  "copy-blobs": {
    readonly request: { readonly type: BlobType; readonly ids: readonly string[] };
    readonly reply: { readonly bytes: number };
  };
  /** Drops the open packs and forgets that writing failed; claimed blobs that are in no finished pack are lost by it. */
  "drop-packs": { readonly request: null; readonly reply: null };
  /** Finishes all open packs; they are durable when it replies. */
  flush: { readonly request: null; readonly reply: null };
};

export type ThreadCall = keyof ThreadCalls;

export type ToThread =
  | { readonly number: number; readonly call: ThreadCall; readonly request: unknown }
  /** Answer what is under way, then stop. */
  | { readonly call: "end" };

/** What an error becomes on its way between threads. */
export type PortableError = {
  readonly code: string | null;
  readonly message: string;
  readonly stack: string | undefined;
  readonly context: unknown;
  readonly state: string | undefined;
  readonly hint: string | undefined;
  readonly nextCommand: string | undefined;
};

export type FromThread =
  | { readonly kind: "reply"; readonly number: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly number: number; readonly error: PortableError }
  /** A pack is durable; comes before the reply of the call that flushed it. */
  | { readonly kind: "pack"; readonly pack: IndexedPack }
  | { readonly kind: "progress"; readonly job: number; readonly bytes: number; readonly items: number };
