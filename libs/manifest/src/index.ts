export type {
  Axis,
  AxisValue,
  Manifest,
  ManifestElement,
  ManifestProblem,
  ManifestStep,
  StepRequirements,
  Variant,
  VariantChange,
} from './manifest.js';
export { parseManifest, type ManifestResult, type ParseOptions } from './parse-manifest.js';
export { isPart, type IncludedText, type ReadIncluded } from './expand-includes.js';
export { LARGEST_MANIFEST_BYTES } from './xml-guard.js';
export { placedIn, placeOfStep } from './included-path.js';
export { parseBuildArea } from './build-area.js';
export { applyVariant } from './apply-variant.js';
export { chooseVariants, findVariant, type ChosenVariants, type VariantChoice } from './choose-variants.js';
export { resolveVariant, type ResolvedVariant } from './check-variants.js';
export { describeDifference, type DescribedChange } from './describe-difference.js';
export { variantDifference, type ChangedValue, type VariantDifference } from './variant-difference.js';
export { nearestName } from './nearest-name.js';
export { formatProblem } from './format-problem.js';
export { queryManifest, type QueryResult } from './query-manifest.js';
export { keyNodepath, splitNodepaths } from './nodepath.js';
export { readsCover } from './reads-cover.js';
export { collapseReads, readsLine } from './collapse-reads.js';
export { manifestContent, readContent } from './manifest-content.js';
export { fingerprintFile, stepPrograms, type StepProgram } from './step-programs.js';
export { readScriptHeader, SCRIPT_HEADER_BYTES, type ScriptHeader } from './script-header.js';
