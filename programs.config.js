import { defineConfig } from 'vite';

const of = (path) => `dist/apps/${path}/main.js`;

/** Each program in a few files, made of the thousand modules that nest has built: so it starts in a third of the time. */
export default defineConfig({
  build: {
    ssr: true,
    outDir: 'dist/programs',
    target: 'node20',
    minify: false,
    rolldownOptions: {
      // Else code that programs share may be put into one of them, which would run when another needs it.
      preserveEntrySignatures: 'strict',
      input: {
        agent: of('agent/src'),
        'boot-image': of('cli/src/boot-image'),
        coordinator: of('coordinator/src'),
        distro_const: of('cli/src/distro-const'),
        distrofarm: of('cli/src/distrofarm'),
      },
      treeshake: { moduleSideEffects: [{ test: /\/dist\/libs\//, sideEffects: false }] },
      output: { keepNames: true, chunkFileNames: 'parts/[name]-[hash].js' },
    },
  },
  ssr: {
    noExternal: true,
    // Loaded from node_modules, where they are there at all: native code, and what others offer to work with.
    external: [
      'better-sqlite3',
      'node-sqlite3-wasm',
      'pg-native',
      '@nestjs/microservices',
      '@nestjs/websockets',
      '@nestjs/platform-fastify',
      '@fastify/static',
      'class-transformer',
      'class-validator',
    ],
  },
  clearScreen: false,
  logLevel: 'warn',
});
