import { fail } from './xml-fault.js';

const FARM_NAMESPACE = 'urn:distrofarm:1';
export const LONGEST_NAME = 128;

/** Prefix to namespace; the empty prefix is the default namespace of elements. */
export type Scope = ReadonlyMap<string, string>;

/** An attribute as the file has it, with its references decoded. */
export interface WrittenAttribute {
  readonly name: string;
  readonly value: string;
  readonly offset: number;
}

export function isDeclaration(name: string): boolean {
  return name === 'xmlns' || name.startsWith('xmlns:');
}

/** What the prefixes mean inside an element with these attributes. */
export function withDeclarations(scope: Scope, attributes: readonly WrittenAttribute[]): Scope {
  const declared = attributes.filter(({ name }) => isDeclaration(name));
  if (declared.length === 0) return scope;
  return new Map([...scope, ...declared.map(({ name, value }) => [name.slice(6), value] as const)]);
}

/**
 * Classic names have no namespace and stay as they are; names of the extension become `farm:…` whatever prefix
 * the document chose; names of any other namespace become `{namespace}…`, which no rule knows.
 */
export function resolveName(name: string, scope: Scope, isElement: boolean, offset: number): string {
  if (name.length > LONGEST_NAME) {
    fail(offset, `a name of ${name.length} characters`, `at most ${LONGEST_NAME}`);
  }
  const [local = '', prefix, ...rest] = name.split(':').reverse();
  if (rest.length > 0) fail(offset, `the name "${name}"`, 'at most one ":" in a name');
  if (prefix === 'xml') return name;
  const namespace = prefix === undefined && !isElement ? '' : scope.get(prefix ?? '');
  if (namespace === undefined && prefix !== undefined) {
    fail(
      offset,
      `the undeclared prefix "${prefix}:"`,
      `xmlns:${prefix}="${FARM_NAMESPACE}" on the root element`,
    );
  }
  if (namespace === undefined || namespace === '') return local;
  return namespace === FARM_NAMESPACE ? `farm:${local}` : `{${namespace}}${local}`;
}
