import { describe, expect, it } from '@jest/globals';
import { parseCommandLine } from './command-line.js';

const PLAIN = {
  kind: 'build',
  manifest: 'm.xml',
  list: false,
  resumeLatest: false,
  resumeAt: null,
  pauseBefore: null,
  variant: null,
  reuse: false,
  json: false,
  ifChanged: 'warn',
  buildArea: null,
  cache: '/var/cache/distrofarm',
};

const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');

describe('parseCommandLine', () => {
  it.each<[string, object]>([
    ['build m.xml', {}],
    ['build -l m.xml', { list: true }],
    ['build m.xml -l', { list: true }],
    ['-l build m.xml', { list: true }],
    ['build -R m.xml', { resumeLatest: true }],
    ['build -R -R m.xml', { resumeLatest: true }],
    ['build -r im-mod m.xml', { resumeAt: 'im-mod' }],
    ['build -rim-mod m.xml', { resumeAt: 'im-mod' }],
    ['build m.xml -p 0', { pauseBefore: '0' }],
    ['build -p0 m.xml', { pauseBefore: '0' }],
    ['build -p -1 m.xml', { pauseBefore: '-1' }],
    ['build -r im-mod -p iso m.xml', { resumeAt: 'im-mod', pauseBefore: 'iso' }],
    ['build -Rp iso m.xml', { resumeLatest: true, pauseBefore: 'iso' }],
    ['build -- m.xml', {}],
    ['build --json m.xml', { json: true }],
    ['build m.xml --variant locale-de', { variant: 'locale-de' }],
    ['build --reuse m.xml', { reuse: true }],
    ['build -r im-mod --reuse m.xml', { resumeAt: 'im-mod', reuse: true }],
    ['build --if-changed refuse m.xml', { ifChanged: 'refuse' }],
    ['build --build-area=tank/x m.xml', { buildArea: 'tank/x' }],
    ['build --build-area /dc/ m.xml', { buildArea: '/dc' }],
    ['build --cache /c m.xml', { cache: '/c' }],
  ])('reads "%s"', (line, change) => {
    expect(parseCommandLine(words(line))).toEqual({ ...PLAIN, ...change });
  });

  it('reads what to plan, any number of variants', () => {
    expect(parseCommandLine(words('plan --variant a m.xml --variant b --json --reuse'))).toEqual({
      kind: 'plan',
      manifest: 'm.xml',
      variants: ['a', 'b'],
      json: true,
      buildArea: null,
      cache: '/var/cache/distrofarm',
    });
  });

  it.each([
    ['', 'invalid or missing subcommand; expected "build" or "plan"'],
    ['bild m.xml', 'invalid or missing subcommand; expected "build" or "plan", found "bild"'],
    ['build', 'no manifest file named'],
    ['build -x m.xml', 'unknown option -x'],
    ['build --list m.xml', 'unknown option --list'],
    ['build -r', '-r needs a value'],
    ['build m.xml -p', '-p needs a value'],
    ['build --json=1 m.xml', '--json takes no value'],
    ['build -r a -r b m.xml', '-r given more than once'],
    ['build -p a -p b m.xml', '-p given more than once'],
    ['build --variant a --variant b m.xml', '--variant given more than once'],
    ['build -R -r a m.xml', '-R and -r cannot be used together'],
    ['build -l -R m.xml', '-l cannot be used with -R, -r or -p'],
    ['build -l -p iso m.xml', '-l cannot be used with -R, -r or -p'],
    ['build -l -r nosuch m.xml', '-l cannot be used with -R, -r or -p'],
    ['build -l --reuse m.xml', '-l cannot be used with --reuse; distro_const plan says what would be reused'],
    ['plan -r a m.xml', '-r cannot be used with plan'],
    ['plan m.xml -l', '-l cannot be used with plan'],
    ['plan', 'no manifest file named'],
    ['build -l m.xml other.xml', 'one manifest file expected, but also found: other.xml'],
    [
      'build --build-area tank m.xml',
      expect.stringMatching(/^--build-area: found "tank", expected a dataset below/),
    ],
    ['build --if-changed maybe m.xml', '--if-changed takes warn, refuse or restart, not "maybe"'],
  ])('refuses "%s"', (line, message) => {
    expect(parseCommandLine(words(line))).toEqual({ kind: 'usage-error', message });
  });

  it.each(['-h', 'build -h', 'build -? m.xml', 'build --help'])('helps on "%s"', (line) => {
    expect(parseCommandLine(words(line))).toEqual({ kind: 'help' });
  });
});
