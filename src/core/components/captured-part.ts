/** What a point has of a component, for what is provisioned from it: nothing of the vault is read before it is asked for. */
import type { CapturedComponent } from "../../model/manifest.ts";
import type { CapturedPart } from "../ports/provision.ts";
import type { Repository } from "../ports/vault.ts";

export const capturedPart = (
  captured: CapturedComponent | undefined,
  repository: () => Promise<Pick<Repository, "openSnapshot">>,
): CapturedPart | null =>
  captured === undefined
    ? null
    : { captured, source: async () => (await repository()).openSnapshot(captured.snapshot) };
