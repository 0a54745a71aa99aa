// The rules for the scripts: ESLint's recommended ones, and the bounds of the Python code (lines of 120 characters,
// files of about 200 lines, functions of about 40). Types are checked by tsc (app/static/tsconfig.json).
import js from "@eslint/js";
import globals from "globals";

const PAGE = ["app/static/src/**/*.js"];
const TOOLS = ["app/static/build.mjs", "eslint.config.js"];

const strict = {
  "arrow-body-style": "error",
  "default-case-last": "error",
  "eqeqeq": "error",
  "max-len": ["error", { code: 120 }],
  "max-lines": ["error", { max: 200, skipBlankLines: true, skipComments: true }],
  "max-lines-per-function": ["error", { max: 40, skipBlankLines: true, skipComments: true }],
  "no-else-return": "error",
  "no-nested-ternary": "error",
  "no-shadow": "error",
  "no-unused-expressions": "error",
  "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
  "no-var": "error",
  "no-warning-comments": ["error", { terms: ["@ts-ignore", "@ts-nocheck", "@ts-expect-error"], location: "anywhere" }],
  "object-shorthand": "error",
  "prefer-arrow-callback": "error",
  "prefer-const": "error",
  "prefer-template": "error",
};

export default [
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  { files: [...PAGE, ...TOOLS], rules: { ...js.configs.recommended.rules, ...strict } },
  { files: PAGE, languageOptions: { globals: globals.browser } },
  { files: TOOLS, languageOptions: { globals: globals.node } },
];
