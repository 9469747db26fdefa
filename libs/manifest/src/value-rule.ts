/** What one value (an attribute, or the text of an element) may be. Values arrive stripped. */
export interface ValueRule {
  /** Completes "expected …". */
  readonly expected: string;
  accepts(value: string): boolean;
}

function matching(pattern: RegExp, expected: string): ValueRule {
  return { expected, accepts: (value) => pattern.test(value) };
}

export const anyText = matching(/^/, 'text');
export const someText = matching(/./u, 'some text');
export const oneLine = matching(/^[^\t\n\r]*$/, 'text on one line');
export const someLine = matching(/^[^\t\n\r]+$/, 'some text, on one line');

/** XML Schema's `xs:boolean`; `booleanValue` reads it. */
export const boolean = matching(/^(true|false|1|0)$/, 'true or false (1 and 0 mean the same)');

export function booleanValue(value: string): boolean {
  return value === 'true' || value === '1';
}

export function integer(min: number, max: number): ValueRule {
  return {
    expected:
      max >= Number.MAX_SAFE_INTEGER
        ? `a whole number from ${min} up`
        : `a whole number from ${min} to ${max}`,
    accepts: (value) => /^\+?\d{1,16}$/.test(value) && Number(value) >= min && Number(value) <= max,
  };
}

export const unsignedInt = integer(0, 4_294_967_295);
export const unsignedLong = integer(0, Number.MAX_SAFE_INTEGER);
export const compressionLevel = integer(0, 9);

export const sizeInGigabytes = matching(
  /^\+?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})$/,
  'a number of gigabytes, 0 or more (0 means no limit)',
);

export function oneOf(...choices: readonly string[]): ValueRule {
  return { expected: choices.join(' or '), accepts: (value) => choices.includes(value) };
}

/**
 * The distribution name becomes the volume id of the ISO, which has room for 32 characters (ECMA-119 8.4.9), and
 * part of file names. A leading `-` would read as an option, a leading `.` would hide the file.
 */
export const distributionName = matching(
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/,
  'at most 32 of the characters A-Z a-z 0-9 _ . -, the first a letter or digit (the name becomes the ISO volume id and the media file names)',
);

export const LONGEST_PART_NAME = 63;

/** Steps, lanes and variants: the name becomes part of a ZFS snapshot or dataset, and of file names. */
export const partName: ValueRule = {
  expected:
    'at most 63 of the characters A-Z a-z 0-9 _ . -, the first a letter or digit, not only digits (the name becomes part of a ZFS snapshot name)',
  accepts: (value) =>
    /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value) && value.length <= LONGEST_PART_NAME && !/^\d+$/.test(value),
};

/** Names of a combination's parts: `.` stands between them, and the first `-` of each between axis and value. */
export const axisName = matching(
  /^[A-Za-z][A-Za-z0-9_]{0,30}$/,
  'at most 31 of the characters A-Z a-z 0-9 _, the first a letter',
);
export const axisValueName = matching(
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$/,
  'at most 31 of the characters A-Z a-z 0-9 _ -, the first a letter or digit',
);

/** The characters that distro_const refuses: what a shell or `pkg` could take for a pattern. */
export const packageName = matching(
  /^[^\s*%?[\]{}><()#$|"'\\]+$/,
  'a package name without blanks, quotes and any of * % ? [ ] { } < > ( ) # $ | \\',
);

/** RFC 1123 labels; distro_const itself refused `-` and `.`, which was a mistake (conformance case C87). */
export const hostName: ValueRule = {
  expected: 'a host name: labels of letters, digits and inner "-", joined by ".", at most 253 characters',
  accepts: (value) =>
    value.length <= 253 &&
    value.split('.').every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label)),
};

export const absolutePath = matching(/^\/[^\n\r]*$/, 'an absolute path');

export const imagePath: ValueRule = {
  expected: 'a path relative to the image, without ".."',
  accepts: (value) => /^[^\n\r]+$/.test(value) && !value.split('/').includes('..'),
};

/** PATH_MAX of illumos, the smallest of the systems. */
const LONGEST_PATH = 1024;
const OUTPUT_ROOTS = ['pkg_image', 'boot_archive', 'tmp', 'media'];

export const outputPath: ValueRule = {
  expected: `a path that starts with ${OUTPUT_ROOTS.join('/, ')}/ and has no empty, "." or ".." part`,
  accepts: (value) => {
    if (value.length > LONGEST_PATH) return false;
    const parts = value.split('/');
    const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
    return isPlain && OUTPUT_ROOTS.includes(parts[0] ?? '') && parts.length > 1 && !/[\t\n\r]/.test(value);
  },
};

const SECONDS_PER_UNIT = new Map([
  ['', 1],
  ['s', 1],
  ['m', 60],
  ['h', 3600],
]);

export const duration: ValueRule = {
  expected: 'a time above 0 such as 90, 90s, 30m or 2h',
  accepts: (value) => /^\d{1,7}[smh]?$/.test(value) && durationSeconds(value) > 0,
};

export function durationSeconds(value: string): number {
  return parseInt(value, 10) * (SECONDS_PER_UNIT.get(value.replace(/\d/g, '')) ?? 1);
}

const SIZE_UNITS = ['', 'K', 'M', 'G', 'T'];

export const size = matching(
  /^(\d{1,15}|\d{1,6}[KMGT])$/,
  'a size in bytes such as 500M or 20G (powers of 1024)',
);

export function sizeBytes(value: string): number {
  return parseInt(value, 10) * 1024 ** SIZE_UNITS.indexOf(value.replace(/\d/g, ''));
}

export const wordList = matching(/^[A-Za-z0-9_.:+-]+(\s+[A-Za-z0-9_.:+-]+)*$/, 'words separated by blanks');
