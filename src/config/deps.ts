/** The third-party code that reads configurations. Apart from src/deps.ts, so that mounting does without it. */
export { type AST, getStaticTOMLValue, ParseError, parseTOML } from "npm:toml-eslint-parser@1.0.3";
export { globToRegExp } from "npm:deno-std@1.4.0/path/mod.js";
export { z } from "npm:zod@4.6.7";
