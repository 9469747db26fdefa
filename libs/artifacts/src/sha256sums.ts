export interface NamedDigest {
  readonly name: string;
  /** Hex. */
  readonly sha256: string;
}

/**
 * The text of a SHA256SUMS file, in the given order, as `sha256sum` writes it and `sha256sum -c` takes it: a line whose name has a backslash, line feed or
 * carriage return begins with a backslash and has them escaped.
 */
export function formatSha256Sums(files: readonly NamedDigest[]): string {
  return files.map(({ name, sha256 }) => lineOf(name, sha256)).join('');
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };

function lineOf(name: string, sha256: string): string {
  const escaped = name.replace(/[\\\n\r]/g, (character) => ESCAPES[character] ?? character);
  return `${escaped === name ? '' : '\\'}${sha256}  ${escaped}\n`;
}
