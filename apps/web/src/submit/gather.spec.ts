import { describe, expect, it } from '@jest/globals';
import { chosenOf, type Dropped } from './dropped.js';
import { lookAt, type Gathered, type Looked } from './gather.js';

const NOW = new Date(2026, 10, 29);

function manifestOf(steps: string, more = ''): string {
  return `<distribution name="Live" xmlns:farm="urn:distrofarm:1">
  <distro_constr_params>
    <build_area>tank/dc</build_area>
    <output_image><finalizer>
      ${steps}
    </finalizer></output_image>
  </distro_constr_params>
  <img_params>
    <packages><pkg name="vim"/>${more}</packages>
    <boot_archive_contents><base_include type="dir">boot</base_include></boot_archive_contents>
  </img_params>
</distribution>`;
}

const step = (script: string, name: string): string =>
  `<script name="${script}"><checkpoint name="${name}"/></script>`;

function fileOf(path: string, content: string, lastModified = 1_000): File {
  const file = new File([content], path.split('/').at(-1) ?? '', { lastModified });
  Object.defineProperty(file, 'webkitRelativePath', { value: path.includes('/') ? path : '' });
  return file;
}

/** Things that were dropped one after the other: a path with a `/` is of a folder. */
const dropped = (files: Readonly<Record<string, string>>): readonly Dropped[] =>
  chosenOf(Object.entries(files).map(([path, content]) => fileOf(path, content)));

const look = async (files: Readonly<Record<string, string>>, chosen: string | null = null): Promise<Looked> =>
  await lookAt(dropped(files), chosen, NOW);

async function gathered(files: Readonly<Record<string, string>>): Promise<Gathered> {
  const { gathered: found } = await look(files);
  if (found === null) throw new Error('there is no manifest');
  return found;
}

const sent = ({ files }: Gathered): readonly string[] =>
  files.map(({ path, above, executable }) => `${'^'.repeat(above)}${path}${executable ? '*' : ''}`);

describe('what belongs to a manifest', () => {
  it('is its scripts and what they include, wherever the folders were dropped', async () => {
    const found = await gathered({
      'live.xml': manifestOf(step('../finalizers/debian/pop', 'pop')),
      'finalizers/debian/pop': '#!/bin/sh\n# farm:includes: ../common/lib ../common/tool\n',
      'finalizers/common/lib': 'x=1\n',
      'finalizers/common/tool': '#!/bin/sh\n',
      'finalizers/common/other': '',
    });
    expect(found.notes).toEqual([]);
    expect(found.missing).toEqual([]);
    expect(sent(found)).toEqual([
      '^finalizers/debian/pop*',
      '^finalizers/common/lib',
      '^finalizers/common/tool*',
    ]);
  });

  it('is what it includes, and what that includes', async () => {
    const found = await gathered({
      'live.xml': manifestOf(step('pop', 'pop'), '<farm:include href="parts/a.xml"/>'),
      'parts/a.xml': `<farm:part xmlns:farm="urn:distrofarm:1"><farm:include href="b.xml"/></farm:part>`,
      'parts/b.xml': `<farm:part xmlns:farm="urn:distrofarm:1"><pkg name="nano" no="x"/></farm:part>`,
      pop: '',
    });
    expect(found.notes).toMatchObject([{ kind: 'error', file: 'parts/b.xml', line: 1 }]);
    expect([...found.texts.keys()]).toEqual(['live.xml', 'parts/a.xml', 'parts/b.xml']);
  });

  it('is named at its line where it is missing, all of it at once', async () => {
    const found = await gathered({
      'live.xml': manifestOf(
        `${step('pop', 'pop')}\n${step('steps/iso', 'iso')}\n${step('/bin/true', 'end')}`,
      ),
      pop: '# farm:includes: lib\n',
    });
    expect(found.missing).toEqual([
      { named: 'lib', reason: 'was not dropped' },
      { named: 'steps/iso', reason: 'was not dropped' },
    ]);
    expect(found.notes.map(({ line, text }) => `${line}: ${text}`)).toEqual([
      '5: step "pop": pop includes lib, which was not dropped',
      '6: step "iso": the script steps/iso was not dropped',
      expect.stringMatching(/^7: step "end": the script \/bin\/true has an absolute path/),
    ]);
  });

  it('is not guessed where one file could be two', async () => {
    const found = await gathered({
      'live.xml': manifestOf(step('a/run', 'a') + step('b/run', 'b')),
      run: '',
    });
    expect(found.files).toEqual([]);
    expect(found.missing.map(({ named }) => named)).toEqual(['a/run', 'b/run']);
    expect(found.notes.every(({ kind }) => kind === 'error')).toBe(true);
  });

  it('is not read when it is too large', async () => {
    const file = fileOf('live.xml', manifestOf(step('pop', 'pop')));
    Object.defineProperty(file, 'size', { value: 10_000_000 });
    const { gathered: found } = await lookAt([{ kind: 'file', name: 'live.xml', file }], null, NOW);
    expect(found?.notes.map(({ text }) => text)).toEqual(['the manifest has 10.0 MB, and may have 1.0 MB']);
    expect(found?.texts.size).toBe(0);
  });

  it('carries the time of the newest of the files that are the manifest', async () => {
    const things = chosenOf([
      fileOf('live.xml', manifestOf(step('pop', 'pop'), '<farm:include href="a.xml"/>'), 5_000),
      fileOf('a.xml', '<farm:part xmlns:farm="urn:distrofarm:1"/>', 8_000),
      fileOf('pop', '', 99_000),
    ]);
    expect((await lookAt(things, null, NOW)).gathered?.changedAt).toBe(8);
  });
});

describe('the manifest among what was dropped', () => {
  const whole = manifestOf(step('pop', 'pop'));
  const part = '<farm:part xmlns:farm="urn:distrofarm:1"/>';
  it.each([
    ['the last one', { 'a.xml': whole, 'b.xml': whole }, null, ['a.xml', 'b.xml'], 'b.xml'],
    ['the one that is chosen', { 'a.xml': whole, 'b.xml': whole }, 'a.xml', ['a.xml', 'b.xml'], 'a.xml'],
    ['no part', { 'a.xml': whole, 'b.xml': part }, null, ['a.xml'], 'a.xml'],
    ['in a folder', { 'x/pop': '', 'x/live.xml': whole }, null, ['x/live.xml'], 'x/live.xml'],
    ['of any name where nothing is XML', { live: whole }, null, ['live'], 'live'],
    ['not there', { 'x/pop': '' }, null, [], undefined],
  ])('is %s', async (_, files, chosen, candidates, address) => {
    const found = await look(files, chosen);
    expect(found.candidates).toEqual(candidates);
    expect(found.gathered?.address).toBe(address);
  });

  it('leaves files that nothing names', async () => {
    const { spare } = await look({ 'live.xml': whole, pop: '', 'notes.txt': '' });
    expect(spare.map(({ name }) => name)).toEqual(['notes.txt']);
  });
});
