import type { StepIngredients } from './step-ingredients.js';

/** Names of what is shown without its value. */
const SECRET = /(?:^|\/)(?:rootpass|password)(?:$|[/@])/;
const MOST_NAMED = 3;

/** What differs between two steps, in words, the most telling first: `its script changed`, `img_params/packages gained vim`. Empty: nothing. Passwords are not shown. */
export function ingredientChanges(before: StepIngredients, now: StepIngredients): readonly string[] {
  return [
    ...(before.script === now.script ? [] : ['its script changed']),
    ...(isSame(before.args, now.args)
      ? []
      : [`its arguments changed from ${quoted(before.args)} to ${quoted(now.args)}`]),
    ...readChanges(before, now),
    ...pairChanges(before.variables, now.variables, (name) =>
      name === 'DC_MANIFEST_FOLDER' ? 'the files that lie with the manifest' : name,
    ),
    ...(before.fingerprint === now.fingerprint ? [] : ['its fingerprint changed']),
    ...pairChanges(before.tools, now.tools, (tool) => `tool ${tool}`),
    ...(before.sourceDateEpoch === now.sourceDateEpoch
      ? []
      : [`the image time changed from ${before.sourceDateEpoch} to ${now.sourceDateEpoch}`]),
  ];
}

function readChanges(before: StepIngredients, now: StepIngredients): readonly string[] {
  const [were, are] = [new Map(before.reads), new Map(now.reads)];
  const paths = [...new Set([...were.keys(), ...are.keys()])];
  return paths.flatMap((path) => {
    const [a, b] = [were.get(path), are.get(path)];
    if (a === b) return [];
    if (a === undefined) return [`it reads ${nameOf(path)} now`];
    if (b === undefined) return [`it reads ${nameOf(path)} no more`];
    return [contentChange(path, a, b)];
  });
}

function nameOf(path: string): string {
  return path === '' ? 'the manifest (it declares no reads)' : path;
}

/** Of texts that `readContent` or `manifestContent` made. */
function contentChange(read: string, before: string, now: string): string {
  const [were, are] = [leavesOf(before), leavesOf(now)];
  const lost = subtract(were, are);
  const gained = subtract(are, were);
  const [one, other] = [lost[0], gained[0]];
  if (lost.length === 1 && gained.length === 1 && one?.path === other?.path && one !== undefined)
    return `${nameOf(read)}${belowFirst(one.path)} ${one.isSecret ? 'changed' : `changed from ${one.value} to ${other?.value ?? ''}`}`;
  const parts = [named('gained', gained), named('lost', lost)].filter((part) => part !== '');
  return `${nameOf(read)} ${parts.length === 0 ? 'changed in its order' : parts.join(' and ')}`;
}

/** `/hostname` of `img_params/hostname`: the first is what the read names. */
function belowFirst(path: string): string {
  const at = path.search(/[/@]/);
  return at < 0 ? '' : path.slice(at);
}

/** A text that `readContent` or `manifestContent` made, without what nobody may see. */
export function withoutSecrets(json: string): string {
  const parsed = JSON.parse(json) as Content | readonly (string | Content)[];
  if (isContent(parsed)) return JSON.stringify(hideIn(parsed, ''));
  return JSON.stringify(parsed.map((node) => (typeof node === 'string' ? node : hideIn(node, ''))));
}

function hideIn([name, attributes, values, children]: Content, above: string): Content {
  const path = above === '' ? name : `${above}/${name}`;
  return [name, attributes, SECRET.test(path) ? [] : values, children.map((child) => hideIn(child, path))];
}

interface Leaf {
  readonly path: string;
  readonly value: string;
  readonly isSecret: boolean;
}

type Content = readonly [
  name: string,
  attributes: readonly (readonly [string, string])[],
  values: readonly string[],
  children: readonly Content[],
];

function leavesOf(json: string): readonly Leaf[] {
  const parsed = JSON.parse(json) as Content | readonly (string | Content)[];
  const nodes = isContent(parsed) ? [parsed] : parsed;
  return nodes.flatMap((node) => (typeof node === 'string' ? [leaf('', node)] : leavesBelow(node, '')));
}

function isContent(parsed: Content | readonly (string | Content)[]): parsed is Content {
  return typeof parsed[0] === 'string' && Array.isArray(parsed[1]);
}

function leavesBelow([name, attributes, values, children]: Content, above: string): readonly Leaf[] {
  const path = above === '' ? name : `${above}/${name}`;
  return [
    ...attributes.map(([attribute, value]) => leaf(`${path}@${attribute}`, value)),
    ...values.filter((value) => value !== '').map((value) => leaf(path, value)),
    ...children.flatMap((child) => leavesBelow(child, path)),
  ];
}

function leaf(path: string, value: string): Leaf {
  return { path, value, isSecret: SECRET.test(path) };
}

/** Those of `all` that are not among `others`, as often as they come more often. */
function subtract(all: readonly Leaf[], others: readonly Leaf[]): readonly Leaf[] {
  const left = new Map<string, number>();
  for (const each of others) left.set(keyOf(each), (left.get(keyOf(each)) ?? 0) + 1);
  return all.filter((each) => {
    const count = left.get(keyOf(each)) ?? 0;
    left.set(keyOf(each), count - 1);
    return count <= 0;
  });
}

function keyOf({ path, value }: Leaf): string {
  return `${path}\0${value}`;
}

function named(verb: string, leaves: readonly Leaf[]): string {
  if (leaves.length === 0) return '';
  const names = leaves.map(({ path, value, isSecret }) => (isSecret ? path : value || path));
  const more = names.length - MOST_NAMED;
  return `${verb} ${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

type Pairs = readonly (readonly [name: string, value: string | readonly string[]])[];

function pairChanges(before: Pairs, now: Pairs, describe: (name: string) => string): readonly string[] {
  const [were, are] = [new Map(before), new Map(now)];
  return [...new Set([...were.keys(), ...are.keys()])].flatMap((name) => {
    const [a, b] = [were.get(name), are.get(name)];
    if (isSame(a, b)) return [];
    if (name === 'DC_MANIFEST_FOLDER' && a !== undefined && b !== undefined)
      return [`${describe(name)} changed`];
    return [`${describe(name)} changed from ${text(a)} to ${text(b)}`];
  });
}

function text(value: string | readonly string[] | undefined): string {
  const values = value === undefined ? [] : typeof value === 'string' ? [value] : value;
  return values.length === 0 ? 'none' : values.join(' or ');
}

function quoted(args: readonly string[]): string {
  return args.length === 0 ? 'none' : args.map((arg) => JSON.stringify(arg)).join(' ');
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
