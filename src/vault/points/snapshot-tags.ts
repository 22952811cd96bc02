/** Tags by which snapshots of our own are found: `refloat-point`, `service=shop`. */

export const taggedValue = (tags: readonly string[], key: string): string | undefined =>
  tags.find((tag) => tag.startsWith(`${key}=`))?.slice(key.length + 1);
