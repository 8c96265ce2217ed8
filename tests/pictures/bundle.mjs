// Bundles draw.jsx with Grafana's components into one script for the browser.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
await build({
  entryPoints: [here('draw.jsx')],
  outfile: process.argv[2],
  bundle: true,
  format: 'iife',
  jsx: 'automatic',
  logLevel: 'error',
  // The ES modules of these packages import what their CommonJS dependencies do not export.
  alias: Object.fromEntries(
    ['ui', 'data', 'schema'].map((name) => [
      `@grafana/${name}`,
      here(`node_modules/@grafana/${name}/dist/cjs/index.cjs`),
    ]),
  ),
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.css': 'text', '.svg': 'dataurl', '.png': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
});
