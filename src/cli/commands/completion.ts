/** completion: what makes a shell complete Refloat's words. */
import { z } from "zod";
import { answer, defineCommand } from "../command.ts";
import { completionScripts } from "../completion-scripts.ts";

const shells = ["bash", "zsh", "fish"] as const;

export const completionCommand = defineCommand({
  name: "completion",
  group: "Machinery",
  summary: "completion for bash, zsh or fish",
  about: [
    "Prints a script that makes the shell complete commands, options, services, components and runs. It asks refloat itself at each Tab, " +
      "so that it never grows old.",
  ],
  arguments: [{ name: "SHELL", about: "bash, zsh or fish", required: true, completes: shells }],
  options: [],
  examples: [
    { line: "refloat completion bash >/etc/bash_completion.d/refloat", about: "for all users of this machine" },
    { line: "source <(refloat completion zsh)", about: "in ~/.zshrc, after compinit" },
    { line: "refloat completion fish >~/.config/fish/completions/refloat.fish", about: "for fish" },
  ],
  exits: [],
  tellsRuns: false,
  input: z.object({
    shell: z.enum(shells, { error: ({ input }) => `no completion for "${String(input)}": bash, zsh or fish` }),
  }),
  act: async ({ shell }) => {
    const script = completionScripts[shell];
    return answer("completion", { shell, script }, script);
  },
});
