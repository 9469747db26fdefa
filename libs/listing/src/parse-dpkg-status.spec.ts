import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MOST_PACKAGES, parseDpkgStatus } from './parse-dpkg-status.js';

const INSTALLED = 'Status: install ok installed';

/** As `name:architecture version`, and how many paragraphs were not read. */
function parsed(text: string): readonly [readonly string[], number] {
  const { packages, unread } = parseDpkgStatus(text);
  return [packages.map(({ name, architecture, version }) => `${name}:${architecture} ${version}`), unread];
}

const paragraph = (name: string, more = ''): string =>
  `Package: ${name}\n${INSTALLED}\nArchitecture: amd64\nVersion: 1.0\n${more}`;

describe('parseDpkgStatus', () => {
  it.each<[string, string, readonly string[], number]>([
    ['nothing', '', [], 0],
    ['blank lines only', '\n\n \n', [], 0],
    ['a package', paragraph('dash'), ['dash:amd64 1.0'], 0],
    [
      'fields in any order, with other ones',
      `Version: 2:1.0~rc1-1+b2\nArchitecture: all\nConffiles:\n /etc/a 0123\n${INSTALLED}\nPackage: a\nDescription: x\n .\n Package: b\n`,
      ['a:all 2:1.0~rc1-1+b2'],
      0,
    ],
    [
      'two, in the order of names',
      `${paragraph('zsh')}\n${paragraph('dash')}`,
      ['dash:amd64 1.0', 'zsh:amd64 1.0'],
      0,
    ],
    [
      'the same of two architectures',
      `${paragraph('libc6')}\n${paragraph('libc6').replace('amd64', 'i386')}`,
      ['libc6:amd64 1.0', 'libc6:i386 1.0'],
      0,
    ],
    [
      'one that is unpacked only',
      paragraph('a').replace('ok installed', 'ok half-configured'),
      ['a:amd64 1.0'],
      0,
    ],
    [
      'one of which configuration is left',
      paragraph('a').replace('install ok installed', 'deinstall ok config-files'),
      [],
      0,
    ],
    ['one that is only known', 'Package: a\nStatus: unknown ok not-installed\nArchitecture: amd64\n', [], 0],
    ['lines that end as on DOS', paragraph('a').replaceAll('\n', '\r\n'), ['a:amd64 1.0'], 0],
    [
      'several blank lines between',
      `${paragraph('a')}\n\n\n${paragraph('b')}`,
      ['a:amd64 1.0', 'b:amd64 1.0'],
      0,
    ],
    ['no end of the last line', paragraph('a').trimEnd(), ['a:amd64 1.0'], 0],
    [
      'one twice: the first',
      `${paragraph('a')}\n${paragraph('a').replace('1.0', '2.0')}`,
      ['a:amd64 1.0'],
      1,
    ],
    ['no status', 'Package: a\nArchitecture: amd64\nVersion: 1\n', [], 1],
    ['a status of two words', paragraph('a').replace('install ok', 'ok'), [], 1],
    ['no version', paragraph('a').replace('Version: 1.0\n', ''), [], 1],
    ['a name with an escape', paragraph('a\u001b[2J'), [], 1],
    ['a version with a blank', paragraph('a').replace('1.0', '1 0'), [], 1],
    ['a name of 300 letters', paragraph('a'.repeat(300)), [], 1],
    ['no paragraphs, but noise', '\u0000\u0001binary', [], 1],
  ])('reads %s', (_, text, packages, unread) => {
    expect(parsed(text)).toEqual([packages, unread]);
  });

  it('reads no more packages than any system has', () => {
    const text = Array.from({ length: MOST_PACKAGES + 5 }, (_, index) => paragraph(`p${index}`)).join('\n');
    const { packages, unread } = parseDpkgStatus(text);
    expect([packages.length, unread]).toEqual([MOST_PACKAGES, 5]);
  });

  it('reads anything', () => {
    const line = fc.constantFrom(
      'Package: a',
      'Package: b',
      INSTALLED,
      'Version: 1',
      'Architecture: all',
      '',
      ' x',
      'Version:',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 20 }), (lines) => {
        const { packages } = parseDpkgStatus(lines.join('\n'));
        expect(new Set(packages.map(({ name, architecture }) => `${name}:${architecture}`)).size).toBe(
          packages.length,
        );
      }),
    );
  });
});
