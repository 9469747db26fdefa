/** The layers of docs/build-lifecycle.md as rules. Each comment says what to do when it fails. */
const PURE = '^libs/(manifest|plan|engine)/src/';
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'Move the shared part to the lower of the two files.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'apps-stand-alone',
      severity: 'error',
      comment: 'An app never imports another app: put what both need into a lib.',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-below-apps',
      severity: 'error',
      comment: 'A lib never imports an app: pass the value in.',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'libs-through-their-index',
      severity: 'error',
      comment: 'Import another lib as #libs/<name>, and export what you need from its index.ts.',
      from: { path: '^libs/([^/]+)/' },
      to: {
        path: '^libs/',
        pathNot: ['^libs/$1/', '^libs/[^/]+/src/(index|testing|[^/]+-conformance)\\.ts$'],
      },
    },
    {
      name: 'manifest-at-the-bottom',
      severity: 'error',
      comment: 'libs/manifest imports no other lib.',
      from: { path: '^libs/manifest/' },
      to: { path: '^libs/(?!manifest/)' },
    },
    {
      name: 'plan-on-manifest',
      severity: 'error',
      comment: 'libs/plan imports libs/manifest only.',
      from: { path: '^libs/plan/' },
      to: { path: '^libs/(?!plan/|manifest/)' },
    },
    {
      name: 'engine-on-plan',
      severity: 'error',
      comment:
        'libs/engine imports libs/plan and libs/manifest only; adapters implement its ports. (Its specs may use an adapter.)',
      from: { path: '^libs/engine/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/(?!engine/|plan/|manifest/)' },
    },
    {
      name: 'contracts-alone',
      severity: 'error',
      comment:
        'libs/contracts is for everybody who talks to the farm, a browser too: it imports no other lib and nothing of Node.',
      from: { path: '^libs/contracts/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/(?!contracts/)' },
    },
    {
      name: 'contracts-without-node',
      severity: 'error',
      comment:
        'libs/contracts runs in a browser too: use what both have (crypto, URL), or take the value as a parameter.',
      from: { path: '^libs/contracts/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'store-on-contracts',
      severity: 'error',
      comment: 'libs/store imports libs/contracts only: what a row means for a build is decided in the app.',
      from: { path: '^libs/store/', pathNot: '\\.spec\\.ts$|/testing[^/]*\\.ts$' },
      to: { path: '^libs/(?!store/|contracts/)' },
    },
    {
      name: 'pure-libs',
      severity: 'error',
      comment:
        'manifest, plan and engine touch no disk and start no process: add a port and implement it in an adapter.',
      from: { path: PURE, pathNot: '\\.spec\\.ts$|/testing\\.ts$|-conformance\\.ts$' },
      to: {
        path: '^(node:)?(fs|fs/promises|child_process|net|http|https|os|cluster|worker_threads)$|node_modules/execa',
      },
    },
    {
      name: 'http-client-alone',
      severity: 'error',
      comment:
        'libs/http-client imports types of contracts, and event-stream, and no package: every call of the CLI pays for its start.',
      from: { path: '^libs/http-client/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/(?!http-client/|event-stream/)|node_modules/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'watching-on-contracts',
      severity: 'error',
      comment:
        'libs/watch and libs/event-stream import types of contracts only, and no package: a browser loads them, and every call of the CLI.',
      from: { path: '^libs/(watch|event-stream)/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/(?!watch/|event-stream/)|node_modules/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'browser-without-node',
      severity: 'error',
      comment:
        'apps/web, libs/watch, libs/event-stream and libs/manifest run in a browser: use what both have, or take the value as a parameter.',
      from: {
        path: '^(apps/web/src|libs/watch|libs/event-stream|libs/manifest)/',
        pathNot: '\\.spec\\.ts$|/testing\\.ts$',
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'web-on-what-a-browser-loads',
      severity: 'error',
      comment:
        'apps/web imports libs/watch, libs/event-stream, and types of contracts: the schemas would come along with zod, into every first load.',
      from: { path: '^apps/web/src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/(?!watch/|event-stream/|manifest/)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'manifest-where-one-is-submitted',
      severity: 'error',
      comment:
        'Only apps/web/src/submit, which is loaded when somebody goes there, imports libs/manifest: it brings an XML parser.',
      from: { path: '^apps/web/src/(?!submit/)' },
      to: { path: '^libs/manifest/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'tls-alone',
      severity: 'error',
      comment: 'libs/tls imports no other lib. (Its specs may use the client.)',
      from: { path: '^libs/tls/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/(?!tls/)' },
    },
    {
      name: 'queue-on-contracts',
      severity: 'error',
      comment:
        'libs/queue delivers ids: it imports libs/contracts only, and knows no database and no rule of the farm.',
      from: { path: '^libs/queue/' },
      to: { path: '^libs/(?!queue/|contracts/)' },
    },
    {
      name: 'only-apps-know-nest',
      severity: 'error',
      comment: 'Libraries are ordinary TypeScript: bind them in the app module.',
      from: { path: '^libs/' },
      to: { path: 'node_modules/@nestjs' },
    },
    {
      name: 'one-process-runner-in-snapshots',
      severity: 'error',
      comment:
        'libs/snapshots starts programs in zfs-command.ts (zfs, zpool), btrfs-command.ts (btrfs) and directory/copy-tree.ts and pack-entries.ts (cp, tar) only.',
      from: {
        path: '^libs/snapshots/',
        pathNot:
          'zfs/zfs-command\\.ts$|btrfs/btrfs-command\\.ts$|directory/(copy-tree|pack-entries)\\.ts$|release-mounts\\.ts$|\\.spec\\.ts$',
      },
      to: { path: 'child_process|node_modules/execa' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['farm-src', 'import', 'node', 'default'],
    },
    doNotFollow: { path: 'node_modules' },
  },
};
