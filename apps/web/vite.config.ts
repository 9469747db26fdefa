import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Puts each script and style compressed beside itself, as the coordinator sends it: once written, since vite changes them until then. */
const gzipped: Plugin = {
  name: 'gzipped',
  apply: 'build',
  async writeBundle({ dir = '' }, bundle) {
    for (const name of Object.keys(bundle)) {
      if (!/\.(js|css)$/.test(name)) continue;
      const path = resolve(dir, name);
      await writeFile(`${path}.gz`, gzipSync(await readFile(path), { level: 9 }));
    }
  },
};

/** Built into dist/apps/web, from where the coordinator serves it. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [gzipped],
  resolve: { conditions: ['farm-src', 'module', 'browser', 'production'] },
  build: {
    outDir: resolve(import.meta.dirname, '../../dist/apps/web'),
    emptyOutDir: true,
    target: 'es2022',
    // The coordinator's Content-Security-Policy lets neither inline scripts nor data: URLs in.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: {
      // "use client" of the component kit says nothing here: all of it runs in the browser.
      checks: { moduleLevelDirective: false },
    },
  },
  clearScreen: false,
});
