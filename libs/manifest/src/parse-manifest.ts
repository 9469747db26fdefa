import { buildManifest } from './build-manifest.js';
import { checkMeaning, remarkOnMeaning } from './check-meaning.js';
import { checkSchema } from './check-schema.js';
import { checkVariants } from './check-variants.js';
import { expandIncludes, type ReadIncluded } from './expand-includes.js';
import { gatherArguments } from './gather-arguments.js';
import type { Manifest, ManifestProblem } from './manifest.js';
import { mergeDefaults } from './merge-defaults.js';
import { placedIn } from './included-path.js';
import { inDocumentOrder, rootPlace, type Finding } from './place.js';
import { readXml } from './read-xml.js';
import { stepPlaces } from './step-places.js';

export type ManifestResult =
  | { readonly ok: true; readonly manifest: Manifest }
  /** All problems at once, in document order. Only XML that is not well-formed stops at its first fault. */
  | { readonly ok: false; readonly problems: readonly ManifestProblem[] };

export interface ParseOptions {
  /** How messages call the manifest; it is not opened. */
  readonly file: string;
  /** Names the distribution (in local time) when the manifest does not. */
  readonly now: Date;
  /** Gives what `farm:include` names. Without it, a manifest cannot include anything. */
  readonly included?: ReadIncluded;
}

const NOTHING_AT_HAND: ReadIncluded = () => ({ ok: false, reason: 'is not at hand here' });

/**
 * Reads a manifest: XML with what it includes, then the classic defaults, then every check that needs no disk (that scripts exist is
 * for the caller to see). Takes hostile input; never throws.
 */
export function parseManifest(text: string, options: ParseOptions): ManifestResult {
  const inFile = ({ includedFrom, ...finding }: Finding): ManifestProblem => ({
    file: placedIn(options.file, includedFrom),
    ...finding,
  });
  const read = readXml(text);
  if (!read.ok) {
    const { position, found, expected } = read;
    return {
      ok: false,
      problems: [inFile({ ...position, includedFrom: null, path: 'XML', found, expected })],
    };
  }
  const expansion = expandIncludes(read.root, text, options.file, options.included ?? NOTHING_AT_HAND);
  const { includes } = expansion;
  if (expansion.problems.length > 0) {
    return { ok: false, problems: inDocumentOrder(expansion.problems, includes).map(inFile) };
  }
  mergeDefaults(read.root, options.now);
  const place = rootPlace(read.root);
  const schema = checkSchema(place);
  const problems = [...schema.problems, ...checkMeaning(place)];
  if (problems.length === 0) problems.push(...checkVariants(place));
  if (problems.length > 0) return { ok: false, problems: inDocumentOrder(problems, includes).map(inFile) };
  for (const { element } of stepPlaces(place)) gatherArguments(element);
  const notes = inDocumentOrder([...schema.notes, ...remarkOnMeaning(place)], includes).map(inFile);
  return { ok: true, manifest: { file: options.file, ...buildManifest(read.root), includes, notes } };
}
