// Bundles what the browser loads into app/static/dist: files with a hash of their content in the name, a gzipped copy
// of each text file, and manifest.json, which maps the names that templates use to the names on disk (read by
// app/web/bundle.py).
//
//   npm run build            once, minified
//   npm run watch            repeated on every change
import { context } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** @typedef {import("esbuild").Metafile} Metafile */

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const out = join(here, "dist");
const compressible = /\.(js|css|svg)$/;

const entries = ["main.js", "main.css", "icons.svg", "favicon.svg"];

// Fonts that the first paint needs, by the start of their file's name, with the name that templates use.
const preloaded = { "geist-latin-wght-normal": "geist.woff2", "geist-mono-latin-wght-normal": "geist-mono.woff2" };

// The favicon with a mark for the worst state (js/frame/tab-title.js).
const marked = ["failed", "warn", "busy"].map((state) => `favicon-${state}.svg`);

/** @param {string} path  in esbuild's report, from the root */
const inOut = (path) => relative(out, join(root, path));

/** @param {Metafile} metafile */
function manifestOf(metafile) {
  /** @type {Record<string, string>} */
  const names = {};
  for (const [path, output] of Object.entries(metafile.outputs)) {
    const file = inOut(path);
    if (output.entryPoint) names[basename(output.entryPoint)] = file;
    const font = Object.entries(preloaded).find(([start]) => basename(file).startsWith(`${start}-`));
    if (font) names[font[1]] = file;
  }
  return names;
}

/** @param {Metafile} metafile */
function finish(metafile) {
  const manifest = manifestOf(metafile);
  const files = new Set(Object.keys(metafile.outputs).map(inOut));
  for (const file of files) {
    if (!compressible.test(file)) continue;
    writeFileSync(join(out, `${file}.gz`), gzipSync(readFileSync(join(out, file)), { level: 9 }));
  }
  // The manifest changes last, in one step: a page that is rendered meanwhile names files that all exist.
  writeFileSync(join(out, "manifest.json.new"), JSON.stringify(manifest, null, 2));
  renameSync(join(out, "manifest.json.new"), join(out, "manifest.json"));
  for (const file of readdirSync(out)) {
    const plain = file.replace(/\.gz$/, "");
    if (!files.has(plain) && file !== "manifest.json") rmSync(join(out, file));
  }
}

const bundle = await context({
  absWorkingDir: root,
  entryPoints: [...entries, ...marked].map((name) => join("app/static/src", name)),
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox128", "safari17.5"], // the first with light-dark() and oklch()
  loader: { ".svg": "copy", ".woff2": "file" },
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  metafile: true,
  logLevel: "info",
  plugins: [
    {
      name: "manifest",
      setup: (build) =>
        build.onEnd((result) => {
          if (result.metafile && !result.errors.length) finish(result.metafile);
        }),
    },
  ],
});

mkdirSync(out, { recursive: true });
if (process.argv.includes("--watch")) {
  await bundle.watch();
} else {
  await bundle.rebuild();
  await bundle.dispose();
}
