export { CopyOutputs } from './copy-outputs.js';
export { treeDigest } from './tree-digest.js';
