/** Colours, when they are wanted: the choice is made once from flag, environment and terminal, not by each screen. */
import { styleText } from "node:util";
import { type Paint, plainPaint } from "../render/screen.ts";

export const createPaint = (color: boolean): Paint =>
  color ? (style, text) => styleText(style, text, { validateStream: false }) : plainPaint;
