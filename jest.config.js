/** `unit` needs Node (a few specs root), `flow` Redis and PostgreSQL, `platform` ZFS, `media` and `live` a package mirror, `boot` qemu, `browser` Chromium; each file says so on line one. */
const shared = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['farm-src', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          keepClassNames: true,
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
      },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

export default {
  workerIdleMemoryLimit: '512MB',
  // What hangs is found by this alone, so it is long enough for a machine that is busy.
  testTimeout: 60_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/{libs,apps}/**/*.spec.ts', '<rootDir>/test/{chaos,simulation}/**/*.spec.ts'],
    },
    { ...shared, displayName: 'flow', testMatch: ['<rootDir>/test/flow/**/*.spec.ts'] },
    { ...shared, displayName: 'platform', testMatch: ['<rootDir>/test/platform/**/*.spec.ts'] },
    { ...shared, displayName: 'media', testMatch: ['<rootDir>/test/media/**/*.spec.ts'] },
    { ...shared, displayName: 'live', testMatch: ['<rootDir>/test/live/**/*.spec.ts'] },
    { ...shared, displayName: 'browser', testMatch: ['<rootDir>/test/browser/**/*.spec.ts'] },
    { ...shared, displayName: 'boot', testMatch: ['<rootDir>/test/boot/**/*.spec.ts'] },
  ],
};
