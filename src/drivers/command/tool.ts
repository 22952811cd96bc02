/**
 * What a `command` component needs of its tool, whether declared lines or a plugin stand for it. A tool is asked for one thing at a
 * time and is never asked to decide: what is whole, whose an instance is and when a name is switched is judged by those who call.
 */
import type { Identity, InstanceTarget, Outputs, PreflightReport, Presence } from "../../core/ports/driver.ts";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { CaptureSink, StreamReceipt, VaultProgress } from "../../core/ports/vault-snapshots.ts";
import type { ToldFacts } from "../../model/plugin-protocol.ts";
import type { CommandContext } from "./component-options.ts";

export type CapturedStream = Pick<StreamReceipt, "sizeBytes" | "sha256"> & { readonly name: string };

export type Tool = {
  /** Names and versions of what did it, kept with the point. */
  readonly capture: (
    context: CommandContext,
    sink: CaptureSink,
    root: string,
    progress: VaultProgress,
  ) => Promise<{
    readonly streams: readonly CapturedStream[];
    readonly versions: Readonly<Record<string, string>>;
    readonly warnings: readonly string[];
  }>;
  /** @throws RefloatError program.failed when not all was read, or the tool did not end well; an error of `bytes` as it is */
  readonly restore: (
    context: CommandContext,
    target: InstanceTarget,
    streams: readonly (CapturedStream & { readonly bytes: ByteStream })[],
  ) => Promise<{ readonly warnings: readonly string[] }>;
  /** What is there, whoever made it. */
  readonly inspect: (context: CommandContext, name: string) => Promise<Presence>;
  readonly drop: (context: CommandContext, name: string) => Promise<void>;
  /** Null where the tool tells none. */
  readonly facts: (context: CommandContext, name: string) => Promise<ToldFacts | null>;
  /** Null where that cannot be told. */
  readonly position: (context: CommandContext, name: string) => Promise<string | null>;
  readonly outputs: (context: CommandContext, name: string) => Promise<Outputs>;
  readonly canSwitch: (context: CommandContext) => Promise<boolean>;
  readonly identity: (context: CommandContext, name: string) => Promise<Identity>;
  readonly exchange: (
    context: CommandContext,
    request: {
      readonly incoming: string | null;
      readonly outgoing: string;
      readonly expected: { readonly stable: Identity; readonly incoming: Identity };
    },
  ) => Promise<void>;
  readonly stop: (context: CommandContext) => Promise<void>;
  readonly reload: (context: CommandContext) => Promise<void>;
  /** Further findings of its own, and the commands that it runs. */
  readonly check: (
    context: CommandContext,
  ) => Promise<Pick<PreflightReport, "findings" | "commands" | "recoveryCommands">>;
};
