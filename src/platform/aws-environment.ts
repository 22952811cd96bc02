/** What AWS's own tools read from the environment and its SDK does not. */

/** The region that restic and the AWS command line would take. */
export const environmentRegion = (): string | undefined =>
  process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"];
