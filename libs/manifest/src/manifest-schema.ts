import { buildAreaName } from './build-area.js';
import {
  absolutePath,
  anyText,
  axisName,
  axisValueName,
  boolean,
  compressionLevel,
  distributionName,
  duration,
  hostName,
  imagePath,
  integer,
  oneLine,
  oneOf,
  outputPath,
  packageName,
  partName,
  size,
  sizeInGigabytes,
  someLine,
  someText,
  unsignedInt,
  unsignedLong,
  wordList,
  type ValueRule,
} from './value-rule.js';

/**
 * What may stand in an element. The classic part follows DC-manifest.rng (see docs/manifest.md); checked after
 * the defaults are merged, as the stock manifests are only complete then.
 */
export interface ElementRule {
  readonly attributes: ReadonlyMap<string, AttributeRule>;
  readonly children: ReadonlyMap<string, ChildRule>;
  /** `null`: only white space. */
  readonly text: ValueRule | null;
  /** The classic children have to come in the order of `children`. */
  readonly isSequence: boolean;
  /** Exactly one of these children. */
  readonly choice: readonly string[];
  /** Said once for each use in a manifest. */
  readonly note: string | null;
}

export interface AttributeRule {
  readonly value: ValueRule;
  readonly isRequired: boolean;
  readonly note: string | null;
}

export interface ChildRule {
  readonly rule: ElementRule;
  readonly min: 0 | 1;
  /** 1 or `Infinity`. */
  readonly max: number;
}

interface ElementOptions {
  readonly attributes?: Readonly<Record<string, AttributeRule>>;
  readonly children?: Readonly<Record<string, ChildRule>>;
  readonly text?: ValueRule;
  readonly isSequence?: boolean;
  readonly choice?: readonly string[];
  readonly note?: string;
}

function element(options: ElementOptions): ElementRule {
  return {
    // Maps, as names come from the document and may be `constructor`.
    attributes: new Map(Object.entries(options.attributes ?? {})),
    children: new Map(Object.entries(options.children ?? {})),
    text: options.text ?? null,
    isSequence: options.isSequence ?? false,
    choice: options.choice ?? [],
    note: options.note ?? null,
  };
}

const text = (rule: ValueRule, note?: string): ElementRule =>
  element({ text: rule, ...(note === undefined ? {} : { note }) });
const required = (value: ValueRule): AttributeRule => ({ value, isRequired: true, note: null });
const optional = (value: ValueRule, note: string | null = null): AttributeRule => ({
  value,
  isRequired: false,
  note,
});
const one = (rule: ElementRule): ChildRule => ({ rule, min: 1, max: 1 });
const maybe = (rule: ElementRule): ChildRule => ({ rule, min: 0, max: 1 });
const some = (rule: ElementRule): ChildRule => ({ rule, min: 1, max: Infinity });
const any = (rule: ElementRule): ChildRule => ({ rule, min: 0, max: Infinity });

const NO_EFFECT = 'nothing reads it';

const farmArgument = text(anyText);

const script = element({
  attributes: {
    name: required(someLine),
    'farm:lane': optional(partName),
    'farm:timeout': optional(duration),
    'farm:silence': optional(duration),
  },
  isSequence: true,
  children: {
    checkpoint: one(element({ attributes: { name: required(partName), message: optional(oneLine) } })),
    argslist: maybe(element({ text: anyText, children: { 'farm:arg': any(farmArgument) } })),
    'farm:arg': any(farmArgument),
    'farm:output': any(element({ attributes: { path: required(outputPath) } })),
    'farm:reads': any(text(anyText)),
    'farm:fingerprint': maybe(element({ text: anyText, children: { 'farm:arg': any(farmArgument) } })),
    'farm:requires': maybe(
      element({
        attributes: { labels: optional(wordList), tools: optional(wordList), free: optional(size) },
      }),
    ),
  },
});

const unusedAdjustment = element({
  attributes: { add: optional(someLine), delete: optional(someLine) },
  text: anyText,
  note: NO_EFFECT,
});

const bootArchive = element({
  children: {
    size_pad_mb: maybe(text(unsignedInt)),
    nbpi: maybe(text(unsignedInt)),
    compression: maybe(
      element({
        attributes: {
          type: required(oneOf('gzip', 'none', 'dcfs', 'zstd')),
          level: required(compressionLevel),
        },
      }),
    ),
    adjustment: any(unusedAdjustment),
    smf_service_profile: maybe(
      element({
        children: {
          profile: some(
            element({ attributes: { path: required(someLine), use_build_sys_file: optional(boolean) } }),
          ),
        },
      }),
    ),
  },
});

const distroConstrParams = element({
  children: {
    build_area: one(text(buildAreaName)),
    distro_constr_flags: one(
      element({
        children: {
          stop_on_error: maybe(text(boolean)),
          checkpoint_enable: maybe(
            element({ text: boolean, attributes: { resume_from: optional(oneLine) } }),
          ),
        },
      }),
    ),
    output_image: some(
      element({
        children: {
          finalizer: one(element({ children: { script: some(script) } })),
          boot_archive: maybe(bootArchive),
        },
      }),
    ),
  },
});

const repository = element({
  isSequence: true,
  children: {
    main: one(
      element({
        attributes: {
          url: required(someLine),
          authname: required(someLine),
          'farm:type': optional(oneOf('deb', 'ips')),
        },
      }),
    ),
    mirror: any(element({ attributes: { url: required(someLine) } })),
  },
});

const packages = element({
  children: {
    pkg: some(
      element({
        attributes: {
          name: required(packageName),
          attrs: optional(anyText, NO_EFFECT),
          tags: optional(anyText, NO_EFFECT),
        },
      }),
    ),
  },
});

const bootArchiveContents = element({
  children: {
    base_include: some(
      element({
        text: imagePath,
        attributes: { type: required(oneOf('file', 'dir')), fiocompress: optional(boolean) },
      }),
    ),
    base_exclude: any(element({ text: imagePath, attributes: { type: required(oneOf('file', 'dir')) } })),
    adjustment: any(unusedAdjustment),
  },
});

const account = {
  homedir: maybe(text(absolutePath)),
  shell: maybe(text(someLine)),
  password: maybe(element({ text: anyText, attributes: { encrypted: optional(boolean) } })),
  account_contents: any(text(anyText, NO_EFFECT)),
};

const grubMenu = element({
  children: {
    min_mem64: maybe(text(unsignedLong)),
    title: maybe(text(someLine)),
    default_entry: maybe(text(unsignedInt)),
    timeout: maybe(text(unsignedInt)),
    entry: any(
      element({
        attributes: { position: optional(unsignedInt) },
        isSequence: true,
        children: { title_suffix: one(text(someLine)), line: some(text(someLine)) },
      }),
    ),
  },
});

const imgParams = element({
  children: {
    pkg_repo_default_authority: one(repository),
    pkg_repo_addl_authority: any(repository),
    post_install_repo_default_authority: maybe(repository),
    post_install_repo_addl_authority: any(repository),
    packages: one(packages),
    post_install_remove_packages: maybe(packages),
    generate_ips_search_index: maybe(text(boolean)),
    rootpass: maybe(element({ text: anyText, attributes: { is_plaintext: required(boolean) } })),
    boot_archive_contents: one(bootArchiveContents),
    live_img_compression: maybe(
      element({
        attributes: {
          type: required(oneOf('gzip', 'lzma', 'none', 'zstd')),
          level: required(compressionLevel),
        },
      }),
    ),
    hostname: one(text(hostName)),
    locale_list: maybe(text(anyText)),
    locale_defaults: maybe(
      element({ attributes: { locale: required(someLine), timezone: optional(someLine) } }),
    ),
    root_user: maybe(element({ attributes: { directlogin: optional(boolean) }, children: account })),
    user: any(
      element({
        attributes: {
          username: required(someLine),
          UID: optional(unsignedInt),
          GID: optional(unsignedInt),
          directlogin: optional(boolean),
        },
        children: account,
      }),
    ),
    grub_menu_modifications: maybe(grubMenu),
    loader_menu_modifications: maybe(element({ children: { timeout: maybe(text(integer(0, 86_400))) } })),
    netservices_SMF_profile: maybe(text(absolutePath, NO_EFFECT)),
    power_mgmt: maybe(element({ children: { enable: maybe(text(boolean)) }, note: NO_EFFECT })),
    pkg_image_area_max_size_gb: maybe(text(sizeInGigabytes)),
  },
});

const changes = {
  'farm:set': any(element({ attributes: { path: required(someText), value: required(anyText) } })),
  'farm:package': any(element({ attributes: { add: optional(packageName), remove: optional(packageName) } })),
  'farm:skip': any(element({ attributes: { step: required(someLine) } })),
};

const variants = element({
  children: {
    'farm:variant': any(
      element({ attributes: { name: required(partName), optional: optional(boolean) }, children: changes }),
    ),
    'farm:axis': any(
      element({
        attributes: { name: required(axisName) },
        children: {
          'farm:value': some(
            element({
              attributes: { name: required(axisValueName), optional: optional(boolean) },
              children: changes,
            }),
          ),
        },
      }),
    ),
  },
});

/** As many as a farm takes; see SubmitBuild. */
const MOST_REPLICAS = 3;

export const ROOT_NAME = 'distribution';

export const rootRule = element({
  attributes: {
    name: required(distributionName),
    'farm:replicas': optional(integer(0, MOST_REPLICAS)),
    'farm:replicas-wait': optional(boolean),
  },
  isSequence: true,
  choice: ['img_params', 'vmimg_params'],
  children: {
    distro_constr_params: one(distroConstrParams),
    img_params: maybe(imgParams),
    vmimg_params: maybe(element({})),
    key_value_pairs: maybe(
      element({
        children: {
          pair: any(element({ attributes: { key: required(someText), value: required(anyText) } })),
        },
      }),
    ),
    'farm:variants': maybe(variants),
  },
});
