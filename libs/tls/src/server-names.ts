import { isIP } from 'node:net';

/** What a certificate may be asked for. */
export type ServerName = { readonly type: 'dns' | 'ip'; readonly value: string };

const MAX_NAMES = 100;
const DNS_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$/;

/** In lower case, sorted, each once. Throws a RangeError for what is neither a DNS name nor an IP address. */
export function parseServerNames(names: readonly string[]): readonly ServerName[] {
  const unique = [...new Set(names.map((name) => name.toLowerCase()))].sort();
  if (unique.length === 0 || unique.length > MAX_NAMES) {
    throw new RangeError(`expected 1 to ${MAX_NAMES} names for the certificate, got ${unique.length}`);
  }
  return unique.map(parseServerName);
}

function parseServerName(value: string): ServerName {
  if (isIP(value) !== 0) return { type: 'ip', value };
  if (DNS_NAME.test(value)) return { type: 'dns', value };
  throw new RangeError(`"${value}" is neither a DNS name nor an IP address`);
}
