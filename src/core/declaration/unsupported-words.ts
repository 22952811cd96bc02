/**
 * Words of the file that Refloat knows and this version does not support. Each is answered with "not supported by this version"
 * and with what to do meanwhile, never with "unknown key". When one is delivered, its line here goes.
 */
type Words = Readonly<Record<string, string>>;

const oneMachine = "every component is captured and recovered on the machine that runs refloat";

export const unsupportedRootKeys: Words = {
  hosts: oneMachine,
};

export const unsupportedServiceKeys: Words = {
  consistency:
    "components are read in the order of their invariants, and each point records what that proves; quiesce: holds the service still meanwhile",
};

export const unsupportedComponentKeys: Words = {
  host: oneMachine,
  pitr: "components of type postgres-cluster, mariadb and mariadb-server know it; the others go back to the points that were taken, and a shorter schedule loses less",
  restore: "every declared component is captured and restored; leave out what can be empty",
};

const captureByCommand = "its own dump and load commands can be declared: type: command (docs/plugins.md)";

export const unsupportedComponentTypes: Words = {
  mariadb: captureByCommand,
  mysql: captureByCommand,
  kubernetes: "declare what runs on this machine",
};

export const unsupportedCutoverKinds: Words = {
  kubernetes: "a command can switch it: - command: ...",
};

export const unsupportedProvisionTypes: Words = {
  docker: "podman runs the same images: type: podman; or a command: type: command, with apply, inspect and destroy",
  kubernetes: "a command can make it: type: command, with apply, inspect and destroy",
};

/** Beginnings of restic locations that can, and that cannot be opened. */
export const supportedVaultSchemes = ["local", "sftp", "s3"] as const;
export const unsupportedVaultSchemes = ["rest", "rclone", "b2", "azure", "gs", "swift"] as const;
