/** One service of one component, kept in a vault of its own by the command line as it is published. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Measured, measureProcess } from "../recovery/measured-process.ts";

export const component = "database";

const capturedSchema = z.object({
  data: z.object({ manifest: z.object({ components: z.record(z.string(), z.object({ newBytes: z.number() })) }) }),
});

export class RefloatProgram {
  readonly folder: string;
  readonly service: string;
  readonly #program: string;
  readonly #password: string;
  readonly #declared: Readonly<Record<string, string>>;

  /** @param declared the component */
  constructor(
    places: { readonly folder: string; readonly program: string; readonly password: string },
    service: string,
    declared: Readonly<Record<string, string>>,
  ) {
    this.folder = places.folder;
    this.service = service;
    this.#program = places.program;
    this.#password = places.password;
    this.#declared = declared;
  }

  get vault(): string {
    return join(this.folder, "vault");
  }

  get environment(): Readonly<Record<string, string>> {
    return { XDG_CACHE_HOME: join(this.folder, "cache"), NODE_COMPILE_CACHE: join(this.folder, "../compiled") };
  }

  /** An empty vault, and nothing that is remembered. */
  async begin(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
    const passwordFile = join(this.folder, "password");
    writeFileSync(passwordFile, this.#password, { mode: 0o600 });
    const declaration = {
      vault: { url: this.vault, password: `\${file:${passwordFile}}` },
      services: { [this.service]: { components: { [component]: this.#declared } } },
    };
    // JSON is YAML.
    writeFileSync(join(this.folder, "refloat.yaml"), JSON.stringify(declaration));
    await this.run("vault", "init");
  }

  /** @returns words of a command line */
  words(...args: readonly string[]): readonly string[] {
    const where = ["--config", join(this.folder, "refloat.yaml"), "--state", join(this.folder, "state")];
    return [process.execPath, this.#program, ...args, "--json", ...where];
  }

  run(...args: readonly string[]): Promise<Measured> {
    const [node = "", ...rest] = this.words(...args);
    return measureProcess(node, rest, { cwd: this.folder, environment: this.environment });
  }

  /** @returns also what it added to the vault */
  async capture(): Promise<Measured & { readonly newBytes: number }> {
    const measured = await this.run("capture", this.service);
    const { data } = capturedSchema.parse(lastLine(measured));
    return { ...measured, newBytes: data.manifest.components[component]?.newBytes ?? 0 };
  }
}

/** The answer of `--json`. */
export const lastLine = ({ stdout }: Measured): unknown => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
