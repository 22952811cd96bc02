/** What the failure of a program tells of its end, and of what to do next. */
import { expect, it } from "vitest";
import { killedHint, runProgram } from "./subprocess.ts";

const never = new AbortController().signal;

it("a program that others have killed says so, and that the same can be tried again", async () => {
  const ended = runProgram("/bin/sh", ["-c", "echo half >&2; kill -KILL $$"], { signal: never });
  await expect(ended).rejects.toMatchObject({
    code: "program.failed",
    message: "/bin/sh was ended by SIGKILL: half",
    hint: killedHint,
  });
});

it("one that fails by itself, or takes too long, was killed by nobody else", async () => {
  const failed = runProgram("/bin/sh", ["-c", "exit 3"], { signal: never });
  await expect(failed).rejects.toMatchObject({ message: "/bin/sh ended with exit status 3", hint: undefined });
  const slow = runProgram("/bin/sh", ["-c", "exec sleep 60"], { signal: never, timeoutMs: 50 });
  await expect(slow).rejects.toMatchObject({ message: "/bin/sh took too long", hint: undefined });
});
