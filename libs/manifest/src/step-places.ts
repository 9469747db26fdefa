import { placesAt, type Place } from './place.js';

export const SCRIPT_PATH = 'distro_constr_params/output_image/finalizer/script';

/** The `<script>` elements in the order of their steps; those of several `output_image` follow each other. */
export function stepPlaces(root: Place): Place[] {
  return placesAt(root, SCRIPT_PATH);
}

export function stepName(script: Place): string {
  return placesAt(script, 'checkpoint')[0]?.element.attributes.get('name') ?? '';
}

export function laneName(script: Place): string {
  return script.element.attributes.get('farm:lane') ?? 'main';
}

export function outputPaths(script: Place): string[] {
  return placesAt(script, 'farm:output').map(({ element }) => element.attributes.get('path') ?? '');
}
