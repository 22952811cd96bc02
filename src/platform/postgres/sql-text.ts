/** How names and values stand in SQL text. */
import { escapeIdentifier, escapeLiteral } from "pg";

export const quoteName = escapeIdentifier;

export const quoteText = escapeLiteral;
