export type {
  Manifest,
  ManifestElement,
  ManifestProblem,
  ManifestStep,
  StepRequirements,
  Variant,
  VariantChange,
} from './manifest.js';
export { parseManifest, type ManifestResult, type ParseOptions } from './parse-manifest.js';
export type { IncludedText, ReadIncluded } from './expand-includes.js';
export { placeOfStep } from './included-path.js';
export { parseBuildArea } from './build-area.js';
export { applyVariant } from './apply-variant.js';
export { formatProblem } from './format-problem.js';
export { queryManifest, type QueryResult } from './query-manifest.js';
export { keyNodepath, splitNodepaths } from './nodepath.js';
export { readsCover } from './reads-cover.js';
export { manifestContent, readContent } from './manifest-content.js';
export { scriptPath } from './script-path.js';
