/**
 * A manifest after parsing: defaults merged, every name checked, ready to plan. Produced only by
 * `parseManifest`, so holders of a `Manifest` need not check it again.
 */
export interface Manifest {
  /** The file as the user named it; for messages only. */
  readonly file: string;
  /** Distribution name: names the media files and is the ISO volume id (at most 32 of its characters). */
  readonly name: string;
  /** ZFS dataset name (no leading `/`) or absolute path, without a trailing slash. */
  readonly buildArea: string;
  readonly stopOnError: boolean;
  readonly checkpointing: boolean;
  /** Default for `-r`: a step name or number. `null` when absent or empty. */
  readonly resumeFrom: string | null;
  /** `pkg_image_area_max_size_gb`; `null` when 0 or absent (no limit). */
  readonly maxImageBytes: number | null;
  /** Copies of each checkpoint that a farm is to keep on other agents; `null`: as it thinks fit. */
  readonly replicas: number | null;
  /** Each step waits for them. */
  readonly waitsForReplicas: boolean;
  /** Document order; `steps[i].index === i`. */
  readonly steps: readonly ManifestStep[];
  /** At least one. */
  readonly variants: readonly Variant[];
  /** In document order. */
  readonly axes: readonly Axis[];
  /** Files that it includes, each once: paths from its own folder, `/` between components. */
  readonly includes: readonly string[];
  /** The resolved tree, which nodepath queries read. */
  readonly root: ManifestElement;
  /** Accepted, but worth a word: elements without effect, deprecated spellings. */
  readonly notes: readonly ManifestProblem[];
}

export interface ManifestStep {
  readonly index: number;
  /** `[A-Za-z0-9][A-Za-z0-9_.-]*`, at most 63 characters, unique, not all digits. */
  readonly name: string;
  readonly message: string;
  /** As written; a relative path is relative to the manifest's folder. */
  readonly script: string;
  readonly args: readonly string[];
  /** `main` unless `farm:lane` says otherwise. */
  readonly lane: string;
  /** Paths relative to the workspace (`pkg_image/…`, `boot_archive/…`, `tmp/…`) or to the media folder (`media/…`). */
  readonly outputs: readonly string[];
  /** Nodepaths that the script may query; `null` when it declares nothing in the manifest. */
  readonly reads: readonly string[] | null;
  readonly fingerprint: readonly string[] | null;
  readonly requires: StepRequirements;
  /** Seconds; `null` means no limit. */
  readonly timeoutSeconds: number | null;
  /** Seconds without output; `null` means no limit. */
  readonly silenceSeconds: number | null;
  /** 1-based line of the `<script>` element. */
  readonly line: number;
  /** The included file that has that line: a path from the manifest's folder. `null`: the manifest itself. */
  readonly includedFrom: string | null;
}

export interface StepRequirements {
  readonly labels: readonly string[];
  readonly tools: readonly string[];
  readonly freeBytes: number;
}

export interface Variant {
  readonly name: string;
  /** A build is none the worse for its failure. */
  readonly isOptional: boolean;
  readonly changes: readonly VariantChange[];
}

/** What a matrix combines: each of its combinations of one value per axis is a variant, see `chooseVariants`. */
export interface Axis {
  /** Letters, digits and `_`; unique. */
  readonly name: string;
  readonly values: readonly AxisValue[];
}

export interface AxisValue {
  /** Letters, digits, `_` and `-`; unique on its axis. */
  readonly name: string;
  readonly isOptional: boolean;
  readonly changes: readonly VariantChange[];
}

export type VariantChange =
  | { readonly kind: 'set'; readonly path: string; readonly value: string }
  | { readonly kind: 'add-package'; readonly name: string }
  | { readonly kind: 'remove-package'; readonly name: string }
  | { readonly kind: 'skip-step'; readonly step: string };

/** An element of the resolved tree. Attribute and child order is document order, defaults last. */
export interface ManifestElement {
  /** Local name, with the `farm:` prefix kept for names of the extension whatever prefix the document used. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly ManifestElement[];
  /** Stripped; one enclosing pair of quotes removed. Empty for elements without text. */
  readonly text: string;
  /** 1-based position in the file; `null` for what a default supplied. */
  readonly line: number | null;
  /** The included file that it stands in: a path from the manifest's folder. `null`: the manifest itself. */
  readonly includedFrom: string | null;
}

/** One thing wrong (or noteworthy) in a manifest, said so that a person can mend it. */
export interface ManifestProblem {
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  /** Element path such as `distribution/img_params/packages/pkg[3]/@name`. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}
