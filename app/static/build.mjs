// Bundles what the browser loads into app/static/dist: content-hashed names, a gzipped twin of each text file, and
// manifest.json, which maps the names that templates use to the names on disk (read by app/web/bundle.py).
//
//   npm run build            once, minified
//   npm run watch            again on every change
import { context } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const out = join(here, "dist");
const compressible = /\.(js|css|svg)$/;

// Fonts that the first paint needs, under a name that templates can ask for.
const preloaded = { "geist-latin-wght-normal": "geist.woff2", "geist-mono-latin-wght-normal": "geist-mono.woff2" };

// The favicon with a mark for the worst state (js/tab.js).
const marked = ["failed", "warn", "busy"].map((state) => `favicon-${state}.svg`);

function manifestOf(metafile) {
  const names = {};
  for (const [path, output] of Object.entries(metafile.outputs)) {
    const file = relative(out, join(root, path));
    if (output.entryPoint) names[basename(output.entryPoint)] = file;
    const font = Object.keys(preloaded).find((name) => basename(file).startsWith(`${name}-`));
    if (font) names[preloaded[font]] = file;
  }
  return names;
}

function finish(metafile) {
  const manifest = manifestOf(metafile);
  const files = new Set(Object.keys(metafile.outputs).map((path) => relative(out, join(root, path))));
  for (const file of files) {
    if (!compressible.test(file)) continue;
    writeFileSync(join(out, `${file}.gz`), gzipSync(readFileSync(join(out, file)), { level: 9 }));
  }
  // The manifest changes last and at once: a page rendered meanwhile names files that are all there.
  writeFileSync(join(out, "manifest.json.new"), JSON.stringify(manifest, null, 2));
  renameSync(join(out, "manifest.json.new"), join(out, "manifest.json"));
  for (const file of readdirSync(out)) {
    const plain = file.replace(/\.gz$/, "");
    if (!files.has(plain) && file !== "manifest.json") rmSync(join(out, file));
  }
}

const bundle = await context({
  absWorkingDir: root,
  entryPoints: ["main.js", "main.css", "icons.svg", "favicon.svg", ...marked].map((name) => join("app/static/src", name)),
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
      setup: (build) => build.onEnd((result) => result.errors.length || finish(result.metafile)),
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
