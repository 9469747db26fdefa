import { normalBuildArea } from './build-area.js';
import type { DraftElement } from './draft-element.js';
import type { Axis, Manifest, ManifestStep, StepRequirements, Variant, VariantChange } from './manifest.js';
import { splitNodepaths } from './nodepath.js';
import { placesAt, rootPlace, type Place } from './place.js';
import { elementValues } from './queryable.js';
import { splitWords } from './split-arguments.js';
import { laneName, outputPaths, stepName, stepPlaces } from './step-places.js';
import { booleanValue, durationSeconds, sizeBytes } from './value-rule.js';
import { axisPlaces, valuePlaces, variantPlaces } from './variant-places.js';

const BYTES_PER_GIGABYTE = 1024 ** 3;

/** Reads a checked tree into a `Manifest`. What is known of its files, and the notes, are the caller's. */
export function buildManifest(root: DraftElement): Omit<Manifest, 'file' | 'includes' | 'notes'> {
  const place = rootPlace(root);
  const params = 'distro_constr_params';
  const flags = `${params}/distro_constr_flags`;
  const resumeFrom = placesAt(place, `${flags}/checkpoint_enable`)[0]?.element.attributes.get('resume_from');
  return {
    name: root.attributes.get('name') ?? '',
    buildArea: normalBuildArea(textAt(place, `${params}/build_area`)),
    stopOnError: booleanValue(textAt(place, `${flags}/stop_on_error`)),
    checkpointing: booleanValue(textAt(place, `${flags}/checkpoint_enable`)),
    resumeFrom: resumeFrom === undefined || resumeFrom === '' ? null : resumeFrom,
    maxImageBytes: imageLimit(textAt(place, 'img_params/pkg_image_area_max_size_gb')),
    replicas: replicaCount(root.attributes.get('farm:replicas')),
    waitsForReplicas: booleanValue(root.attributes.get('farm:replicas-wait') ?? 'false'),
    steps: stepPlaces(place).map(buildStep),
    variants: buildVariants(place),
    axes: buildAxes(place),
    root,
  };
}

function textAt(place: Place, path: string): string {
  return placesAt(place, path)[0]?.element.text ?? '';
}

function imageLimit(gigabytes: string): number | null {
  const bytes = Math.floor(Number(gigabytes) * BYTES_PER_GIGABYTE);
  return bytes > 0 ? bytes : null;
}

function replicaCount(value: string | undefined): number | null {
  return value === undefined ? null : Number(value);
}

function buildStep(script: Place, index: number): ManifestStep {
  const { attributes, line, includedFrom } = script.element;
  const path = attributes.get('name') ?? '';
  const message = placesAt(script, 'checkpoint')[0]?.element.attributes.get('message') ?? '';
  return {
    index,
    name: stepName(script),
    message: message === '' ? `Executing ${path}` : message,
    script: path,
    args: placesAt(script, 'argslist').flatMap(({ element }) => elementValues(element)),
    lane: laneName(script),
    outputs: outputPaths(script),
    reads: declaredReads(script),
    fingerprint: fingerprintCommand(script),
    requires: stepRequirements(script),
    timeoutSeconds: limit(attributes.get('farm:timeout')),
    silenceSeconds: limit(attributes.get('farm:silence')),
    line: line ?? 0,
    includedFrom,
  };
}

function declaredReads(script: Place): readonly string[] | null {
  const declarations = placesAt(script, 'farm:reads');
  if (declarations.length === 0) return null;
  return declarations.flatMap(({ element }) => splitNodepaths(element.text) ?? []);
}

function fingerprintCommand(script: Place): readonly string[] | null {
  const [place] = placesAt(script, 'farm:fingerprint');
  if (place === undefined) return null;
  const structured = placesAt(place, 'farm:arg').map(({ element }) => element.text);
  const split = splitWords(place.element.text);
  return structured.length > 0 ? structured : split.ok ? split.words : [];
}

function stepRequirements(script: Place): StepRequirements {
  const attributes = placesAt(script, 'farm:requires')[0]?.element.attributes;
  const words = (name: string): string[] => attributes?.get(name)?.split(/\s+/) ?? [];
  return {
    labels: words('labels'),
    tools: words('tools'),
    freeBytes: sizeBytes(attributes?.get('free') ?? '0'),
  };
}

function limit(value: string | undefined): number | null {
  return value === undefined ? null : durationSeconds(value);
}

/** A manifest without variants has one, which changes nothing. */
function buildVariants(root: Place): readonly Variant[] {
  const variants = variantPlaces(root).map(buildVariant);
  return variants.length > 0 ? variants : [{ name: 'default', isOptional: false, changes: [] }];
}

export function buildAxes(root: Place): readonly Axis[] {
  return axisPlaces(root).map((axis) => ({
    name: axis.element.attributes.get('name') ?? '',
    values: valuePlaces(axis).map(buildVariant),
  }));
}

function buildVariant({ element }: Place): Variant {
  return {
    name: element.attributes.get('name') ?? '',
    isOptional: booleanValue(element.attributes.get('optional') ?? 'false'),
    changes: element.children.map(buildChange),
  };
}

export function buildChange({ name, attributes }: DraftElement): VariantChange {
  const value = (attribute: string): string => attributes.get(attribute) ?? '';
  if (name === 'farm:set') return { kind: 'set', path: value('path'), value: value('value') };
  if (name === 'farm:skip') return { kind: 'skip-step', step: value('step') };
  if (attributes.has('add')) return { kind: 'add-package', name: value('add') };
  return { kind: 'remove-package', name: value('remove') };
}
