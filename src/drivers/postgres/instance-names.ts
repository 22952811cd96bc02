/** Names of restored and of retired databases, within what the server allows, and how SQL text is quoted. */
import { escapeIdentifier, escapeLiteral } from "pg";
import { derivedNames } from "../../core/text/derived-names.ts";

/** The server cuts names here, without a word. */
const longestNameBytes = 63;

export const { instanceName, retiredName, isDerivedName } = derivedNames(longestNameBytes);

export const quoteName = escapeIdentifier;

export const quoteText = escapeLiteral;
