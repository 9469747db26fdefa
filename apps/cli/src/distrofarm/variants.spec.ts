import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { smallManifest } from '../../../../libs/manifest/src/testing.js';
import { EXIT } from './exit-codes.js';
import { run } from './run.js';
import { ioOf } from './testing.js';

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrofarm-variants-'));
  file = join(folder, 'live.xml');
  await mkdir(join(folder, 'shared'));
  await writeFile(
    join(folder, 'shared/editions.xml'),
    `<farm:part xmlns:farm="urn:distrofarm:1">
      <farm:axis name="edition">
        <farm:value name="base"/>
        <farm:value name="rescue" optional="true"><farm:package add="gddrescue"/><farm:set path="img_params/rootpass" value="hush"/></farm:value>
        <farm:value name="odd"><farm:set path="img_params/packages/pkg[name=vim]/name" value="neovim"/></farm:value>
      </farm:axis>
    </farm:part>`,
  );
  await writeFile(
    file,
    smallManifest({
      steps: ['im-pop', 'iso', 'usb']
        .map((name) => `<script name="s"><checkpoint name="${name}" message="Make ${name}"/></script>`)
        .join(''),
      rest: `<farm:variants>
        <farm:variant name="desktop"/>
        <farm:variant name="server" optional="true"><farm:set path="name" value="Server"/><farm:skip step="usb"/></farm:variant>
        <farm:axis name="locale"><farm:value name="en"/><farm:value name="de"><farm:package remove="vim"/><farm:package add="nano"/></farm:value></farm:axis>
        <farm:include href="shared/editions.xml"/>
      </farm:variants>`,
    }),
  );
});
afterAll(() => rm(folder, { recursive: true }));

async function variants(...args: readonly string[]) {
  const io = ioOf({ env: { XDG_CONFIG_HOME: '/nonexistent' } });
  const exit = await run(['variants', ...args, file], io);
  return { exit, out: io.out(), err: io.err() };
}

describe('distrofarm variants', () => {
  it('shows what each variant and each value changes, without a farm', async () => {
    const { exit, out, err } = await variants();
    expect(err).toBe('');
    expect(out.split('\n')).toEqual([
      'Small',
      '  desktop  as the manifest is',
      '  server (optional)',
      '    name   "Small" -> "Server"',
      '    steps  -usb',
      '',
      'axis locale',
      '  en  as the manifest is',
      '  de',
      '    packages  +nano',
      '    packages  -vim',
      '',
      'axis edition',
      '  base  as the manifest is',
      '  rescue (optional)',
      '    img_params/rootpass  changed',
      '    packages             +gddrescue',
      '  odd',
      '    img_params/packages/pkg[name=vim]/name  "vim" -> "neovim"',
      '    packages                                +neovim',
      '    packages                                -vim',
      '',
    ]);
    expect(exit).toBe(EXIT.ok);
  });

  it('shows the combinations of a matrix, and which of them are not in order', async () => {
    const { exit, out } = await variants('--matrix', 'edition=odd,rescue', '--matrix', 'locale', '--json');
    const { variants: shown } = JSON.parse(out) as {
      variants: readonly { name: string; problems: readonly string[] }[];
    };
    expect(shown.map(({ name }) => name)).toEqual([
      'locale-en.edition-rescue',
      'locale-en.edition-odd',
      'locale-de.edition-rescue',
      'locale-de.edition-odd',
    ]);
    expect(shown[2]).toEqual({
      name: 'locale-de.edition-rescue',
      optional: true,
      values: [{ path: 'img_params/rootpass', secret: true, from: [], to: [] }],
      packages: { added: ['nano', 'gddrescue'], removed: ['vim'] },
      skipped: [],
      problems: [],
    });
    expect(shown[3]?.problems).toEqual([
      expect.stringMatching(
        /shared\/editions\.xml:5:\d+: .*"img_params\/packages\/pkg\[name=vim\]\/name", which matches nothing/,
      ),
    ]);
    expect(out).not.toContain('hush');
    expect(exit).toBe(EXIT.usage);
  });

  it('shows the steps of those that are named', async () => {
    const { out } = await variants('--steps', '--variant', 'server', '--variant', 'locale-de.edition-base');
    expect(out).toMatch(
      /server \(optional\)\n.*\n.*-usb\n {4}0 {2}im-pop {2}main {2}Make im-pop\n {4}1 {2}iso {5}main {2}Make iso\n {2}locale-de\.edition-base\n/,
    );
    expect(out).not.toContain('axis');
  });

  it.each([
    [['--variant', 'servr'], /no variant "servr"\nDid you mean server\?/],
    [['--matrix', 'edition=rescu'], /no value "rescu"\nDid you mean rescue\?/],
    [['--matrix', 'locale', '--variant', 'server'], /cannot be used with/],
    [['--matrix', 'locale=*'], /Expected an axis of the manifest/],
  ])('refuses %j', async (args, message) => {
    const { exit, err } = await variants(...args);
    expect(exit).toBe(EXIT.usage);
    expect(err).toMatch(message);
  });

  it.each([
    ['--variant', /^desktop\t?.*\nserver/],
    ['--matrix', /^locale\t.*\nlocale=en.*\nlocale=de/],
  ])('is completed after %s', async (option, offered) => {
    const io = ioOf({ env: { XDG_CONFIG_HOME: '/nonexistent' } });
    expect(await run(['complete', '--', 'submit', file, option, ''], io)).toBe(EXIT.ok);
    expect(io.out()).toMatch(offered);
  });
});
