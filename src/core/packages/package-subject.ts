/** What a difference of a fingerprint is about, where it is a package: by which who installs it says that it settles the difference. */
export const packageSubject = (name: string): string => `package ${name}`;
