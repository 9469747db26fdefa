import { build } from 'vite';

const PROGRAMS = {
  agent: 'agent/src',
  'boot-image': 'cli/src/boot-image',
  coordinator: 'coordinator/src',
  distro_const: 'cli/src/distro-const',
  distrofarm: 'cli/src/distrofarm',
};

/** Loaded from node_modules, where they are there at all: native code, and what others offer to work with. */
const EXTERNAL = [
  'better-sqlite3',
  'node-sqlite3-wasm',
  'pg-native',
  '@nestjs/microservices',
  '@nestjs/websockets',
  '@nestjs/platform-fastify',
  '@fastify/static',
  'class-transformer',
  'class-validator',
];

/**
 * Makes each program a few files of the thousand modules that nest has built, so that it starts in a third of the time. One after the other: what programs share would be put into one
 * of them, if they were made together, and would begin to be that program in the others.
 */
for (const [program, path] of Object.entries(PROGRAMS)) {
  await build({
    configFile: false,
    build: {
      ssr: true,
      outDir: `dist/programs/${program}`,
      target: 'node20',
      minify: false,
      rolldownOptions: {
        input: `dist/apps/${path}/main.js`,
        treeshake: { moduleSideEffects: [{ test: /\/dist\/libs\//, sideEffects: false }] },
        output: { keepNames: true, entryFileNames: 'main.js', chunkFileNames: 'parts/[name]-[hash].js' },
      },
    },
    ssr: { noExternal: true, external: EXTERNAL },
    clearScreen: false,
    logLevel: 'warn',
  });
}
