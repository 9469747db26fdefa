import { resolve } from 'node:path';
import { defineConfig } from 'vite';

/** Built into dist/apps/web, from where the coordinator serves it. */
export default defineConfig({
  root: import.meta.dirname,
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
