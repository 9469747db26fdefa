import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readdirSync } from 'node:fs';
import { formatProblem } from './format-problem.js';
import { parseManifest } from './parse-manifest.js';
import { queryManifest } from './query-manifest.js';
import { parseValid, problemsOf, readFixture, smallManifest } from './testing.js';

const FIXTURES = new URL('../../../test/fixtures/manifests/', import.meta.url);
const xmlIn = (folder: string): string[] =>
  readdirSync(new URL(folder, FIXTURES)).filter((name) => name.endsWith('.xml'));

const stepNames = (fixture: string): string =>
  parseValid(readFixture(`valid/${fixture}`))
    .steps.map((step) => step.name)
    .join(' ');
const valuesOf = (text: string, nodepath: string): readonly string[] => {
  const result = queryManifest(parseValid(text).root, nodepath);
  return result.ok ? result.values : [];
};
const script = (inside: string, attributes = 'name="a"'): string =>
  `<script ${attributes}>${inside}</script>`;
const step = (name: string): string => script(`<checkpoint name="${name}"/>`);

describe('parseManifest', () => {
  describe('accepts', () => {
    it.each(xmlIn('valid/'))('%s', (name) => {
      const manifest = parseValid(readFixture(`valid/${name}`));
      expect(manifest.steps.map((each) => each.index)).toEqual([...manifest.steps.keys()]);
      expect(manifest.notes).toEqual([]);
    });

    it.each([
      [
        'slim_cd_x86.xml',
        'im-pop im-mod slim-im-mod ba-init slim-ba-config ba-config ba-arch ba-arch-32 slim-post-mod grub-setup post-mod gen-cd-cont iso usb',
      ],
      [
        'text_mode_x86.xml',
        'im-pop im-mod tm-im-mod ba-init ba-config ba-arch ba-arch-32 post-mod-custom grub-setup post-mod gen-cd-cont iso usb',
      ],
      [
        'ai_x86_image.xml',
        'im-pop im-mod ai-im-mod ba-init ba-config ai-ba-config ba-arch ba-arch-32 post-mod-custom grub-setup post-mod ai-publish-pkg iso usb',
      ],
      ['vmc_image.xml', 'prepare-image create-vm install-vm post-config export-esx export-ovf'],
    ])('the steps of %s', (name, steps) => {
      expect(stepNames(name)).toBe(steps);
    });

    it('all that the live CD says', () => {
      const manifest = parseValid(readFixture('valid/slim_cd_x86.xml'));
      expect(manifest).toMatchObject({
        name: 'Example_Live_X86',
        buildArea: 'rpool/dc',
        stopOnError: true,
        checkpointing: true,
        resumeFrom: null,
        maxImageBytes: null,
        replicas: null,
        waitsForReplicas: false,
        variants: [{ name: 'default', isOptional: false, changes: [] }],
        axes: [],
        includes: [],
      });
      expect(manifest.steps[5]).toEqual({
        index: 5,
        name: 'ba-config',
        message: 'Boot archive configuration',
        script: '/usr/share/distro_const/boot_archive_configure',
        args: ['.livecd'],
        lane: 'main',
        outputs: [],
        reads: null,
        fingerprint: null,
        requires: { labels: [], tools: [], freeBytes: 0 },
        timeoutSeconds: null,
        silenceSeconds: null,
        line: 29,
        includedFrom: null,
      });
    });

    it('all that the extension says', () => {
      const manifest = parseValid(readFixture('valid/farm.xml'));
      expect(manifest).toMatchObject({ replicas: 1, waitsForReplicas: true });
      expect(manifest.steps[0]).toMatchObject({
        message: "Don't panic: install the packages",
        reads: [
          'img_params/packages',
          'img_params/pkg_repo_default_authority',
          'key_value_pairs/pair[key="mirror list"]/value',
        ],
        fingerprint: ['curl', '--fail', 'http://deb.example.org/debian/dists/stable/Release'],
        requires: { labels: ['net', 'fast-disk'], tools: ['mmdebstrap', 'curl'], freeBytes: 20 * 2 ** 30 },
        timeoutSeconds: 7200,
        silenceSeconds: 900,
      });
      expect(manifest.steps[1]).toMatchObject({
        lane: 'ba-64',
        args: ['amd64', ` a "b" 'c' \\ $d é <e> `],
        reads: [],
        outputs: ['boot_archive/amd64.img'],
      });
      expect(manifest.steps[2]).toMatchObject({ args: ['x86', ''], reads: null });
      expect(manifest.steps[3]).toMatchObject({ fingerprint: ['cat', '/etc/a file'] });
      expect(manifest.variants[1]).toEqual({
        name: 'server',
        isOptional: true,
        changes: [
          { kind: 'set', path: 'name', value: 'Example_Server_X86' },
          { kind: 'set', path: 'img_params/hostname', value: 'server' },
          { kind: 'add-package', name: 'openssh-server' },
          { kind: 'remove-package', name: 'vim' },
          { kind: 'skip-step', step: 'usb' },
        ],
      });
      expect(manifest.axes).toEqual([
        {
          name: 'locale',
          values: [
            { name: 'en', isOptional: false, changes: [] },
            {
              name: 'pt-BR',
              isOptional: true,
              changes: [{ kind: 'add-package', name: 'task-brazilian-portuguese' }],
            },
          ],
        },
      ]);
    });
  });

  describe('refuses', () => {
    it.each(xmlIn('invalid/'))('%s, and says all that is wrong with it', (name) => {
      const result = parseManifest(readFixture(`invalid/${name}`), { file: name, now: new Date(0) });
      const expected = readFixture(`invalid/${name.replace(/xml$/, 'problems.txt')}`);
      expect(
        result.ok ? 'accepted' : result.problems.map((each) => `${formatProblem(each)}\n`).join(''),
      ).toBe(expected);
    });
  });

  describe('fills in', () => {
    it.each(['', 'name=""', `name='""'`, `name=" '' "`])(
      'a name from the local time for <distribution %s>',
      (attributes) => {
        expect(parseValid(smallManifest({ attributes })).name).toBe('20100914-1305');
      },
    );

    it.each([
      ['distro_constr_params/distro_constr_flags/stop_on_error', ['true']],
      ['distro_constr_params/distro_constr_flags/checkpoint_enable', ['true']],
      ['distro_constr_params/output_image/boot_archive/size_pad_mb', ['0']],
      ['distro_constr_params/output_image/boot_archive/nbpi', ['0']],
      ['distro_constr_params/output_image/boot_archive/compression/type', ['gzip']],
      ['distro_constr_params/output_image/boot_archive/compression/level', ['9']],
      ['img_params/pkg_repo_default_authority/main/authname', ['opensolaris.org']],
      ['img_params/post_install_repo_default_authority/main/url', ['http://pkg.opensolaris.org/release']],
      ['img_params/generate_ips_search_index', ['false']],
      ['img_params/rootpass', ['solaris']],
      ['img_params/rootpass/is_plaintext', ['true']],
      ['img_params/live_img_compression/type', ['none']],
      ['img_params/live_img_compression/level', ['0']],
      ['img_params/hostname', ['solaris']],
      ['img_params/locale_list', ['Posix/C']],
      ['img_params/locale_defaults/locale', ['Posix/C']],
      ['img_params/locale_defaults/timezone', ['GMT']],
      ['img_params/root_user/homedir', ['/root']],
      ['img_params/root_user/shell', ['/bin/ksh93']],
      ['img_params/netservices_SMF_profile', ['/var/svc/profile/generic_limited_net.xml']],
      ['img_params/power_mgmt/enable', ['false']],
      ['img_params/pkg_image_area_max_size_gb', ['0']],
      ['img_params/grub_menu_modifications/min_mem64', []],
      ['img_params/user', []],
    ])('%s', (nodepath, values) => {
      expect(valuesOf(smallManifest(), nodepath)).toEqual(values);
    });

    it('values that are there but empty', () => {
      const text = smallManifest({
        flags: '<distro_constr_flags><stop_on_error>""</stop_on_error></distro_constr_flags>',
        archive: '<boot_archive><compression type="" level="3"/><size_pad_mb/></boot_archive>',
        image: '<hostname></hostname><live_img_compression/><grub_menu_modifications/>',
      });
      expect(valuesOf(text, 'distro_constr_params/distro_constr_flags/stop_on_error')).toEqual(['true']);
      expect(valuesOf(text, 'distro_constr_params/output_image/boot_archive/compression/type')).toEqual([
        'gzip',
      ]);
      expect(valuesOf(text, 'distro_constr_params/output_image/boot_archive/compression/level')).toEqual([
        '3',
      ]);
      expect(valuesOf(text, 'distro_constr_params/output_image/boot_archive/size_pad_mb')).toEqual(['0']);
      expect(valuesOf(text, 'img_params/hostname')).toEqual(['solaris']);
      expect(valuesOf(text, 'img_params/grub_menu_modifications/min_mem64')).toEqual(['1000']);
    });

    it('user ids that no other user has', () => {
      const image =
        '<user username="a"/><user username="b" UID="1000"/><user username="c" UID="1002"/><user username="d"/>';
      expect(valuesOf(smallManifest({ image }), 'img_params/user/UID')).toEqual([
        '1001',
        '1000',
        '1002',
        '1003',
      ]);
      expect(valuesOf(smallManifest({ image }), 'img_params/user/homedir')[3]).toBe('/export/home/d');
    });

    it('no publisher of Solaris after packages of Debian', () => {
      const image =
        '<pkg_repo_default_authority><main url="http://deb" authname="stable" farm:type="deb"/></pkg_repo_default_authority>';
      expect(
        valuesOf(smallManifest({ image }), 'img_params/post_install_repo_default_authority/main/url'),
      ).toEqual([]);
    });

    it('a boot_archive for each output_image without one', () => {
      const image = (name: string, rest: string): string =>
        `<output_image><finalizer>${step(name)}</finalizer>${rest}</output_image>`;
      const text = smallManifest().replace(
        /<output_image>.*<\/output_image>/s,
        image('a', '<boot_archive/>') + image('b', ''),
      );
      expect(parseValid(text).steps.map((each) => each.name)).toEqual(['a', 'b']);
      expect(valuesOf(text, 'distro_constr_params/output_image/boot_archive/nbpi')).toEqual(['0', '0']);
    });

    it('nothing of an image for a virtual machine', () => {
      const { root } = parseValid(readFixture('valid/vmc_image.xml'));
      expect(queryManifest(root, 'img_params')).toMatchObject({ values: [] });
    });
  });

  describe('reads', () => {
    it.each([
      ['true', true],
      ['1', true],
      [' false ', false],
      ['0', false],
    ])('the boolean %j', (text, value) => {
      const flags = `<distro_constr_flags><stop_on_error>${text}</stop_on_error><checkpoint_enable>${text}</checkpoint_enable></distro_constr_flags>`;
      expect(parseValid(smallManifest({ flags }))).toMatchObject({
        stopOnError: value,
        checkpointing: value,
      });
    });

    it.each([
      ['0', null],
      ['1.5', 1.5 * 2 ** 30],
      ['0.0', null],
    ])('the size limit %s', (text, bytes) => {
      const image = `<pkg_image_area_max_size_gb>${text}</pkg_image_area_max_size_gb>`;
      expect(parseValid(smallManifest({ image })).maxImageBytes).toBe(bytes);
    });

    it.each([
      ['iso', 'iso'],
      ['1', '1'],
      ['0', '0'],
      ['', null],
    ])('resume_from=%j', (from, resumeFrom) => {
      const flags = `<distro_constr_flags><checkpoint_enable resume_from="${from}">true</checkpoint_enable></distro_constr_flags>`;
      expect(parseValid(smallManifest({ flags })).resumeFrom).toBe(resumeFrom);
    });

    it.each(['nosuch', '2', '-1'])('no resume_from=%j', (from) => {
      const flags = `<distro_constr_flags><checkpoint_enable resume_from="${from}">true</checkpoint_enable></distro_constr_flags>`;
      expect(problemsOf(smallManifest({ flags }))).toEqual([
        expect.stringMatching(
          /@resume_from: found .* expected a step: im-pop, iso, or its number from 0 to 1$/,
        ),
      ]);
    });

    it('a build area without its trailing slash', () => {
      expect(parseValid(smallManifest({ buildArea: 'rpool/dc/' })).buildArea).toBe('rpool/dc');
    });

    it('one script twice, each time with its own arguments and name', () => {
      const steps = ['a', 'b']
        .map((name) => script(`<checkpoint name="${name}"/><argslist>"${name}"</argslist>`))
        .join('');
      expect(parseValid(smallManifest({ steps })).steps).toMatchObject([
        { name: 'a', script: 'a', args: ['a'] },
        { name: 'b', script: 'a', args: ['b'] },
      ]);
    });

    it('any printable argument', () => {
      const printable = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{C}/u.test(text));
      fc.assert(
        fc.property(fc.array(printable, { minLength: 1 }), (args) => {
          const escaped = args.map((arg) =>
            arg.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
          );
          const list = `<argslist>${escaped.map((arg) => `<farm:arg>${arg}</farm:arg>`).join('')}</argslist>`;
          const manifest = parseValid(smallManifest({ steps: script(`<checkpoint name="a"/>${list}`) }));
          expect(manifest.steps[0]?.args).toEqual(args);
          const answer = queryManifest(
            manifest.root,
            'distro_constr_params/output_image/finalizer/script/argslist',
          );
          expect(answer).toMatchObject({ values: args });
        }),
      );
    });

    it('a message as it is, and a default that names the script', () => {
      const steps =
        script('<checkpoint name="a" message="Don\'t"/>') + script('<checkpoint name="b"/>', 'name="/x"');
      expect(parseValid(smallManifest({ steps })).steps.map((each) => each.message)).toEqual([
        "Don't",
        'Executing /x',
      ]);
    });

    it('notes on what has no effect', () => {
      const image = '<power_mgmt><enable>true</enable></power_mgmt>';
      const steps = step('im-pop') + script('<checkpoint name="x"/>', 'name="a" farm:lane="side"');
      const { notes } = parseValid(smallManifest({ image, steps }));
      expect(notes.map(({ path, expected }) => `${path}: ${expected}`)).toEqual([
        'distribution/distro_constr_params/output_image/finalizer/script[2]/@farm:lane: a <farm:output> in one of its steps: else nothing of the lane is kept',
        'distribution/img_params/power_mgmt: no effect: nothing reads it',
      ]);
    });
  });

  describe('takes any input', () => {
    const answers = (text: string): void => {
      const result = parseManifest(text, { file: 'x.xml', now: new Date(0) });
      if (result.ok) return;
      expect(result.problems.length).toBeGreaterThan(0);
      const lines = result.problems.map(({ line }) => line ?? Infinity);
      expect(lines).toEqual([...lines].sort((a, b) => a - b));
    };

    it('such as any text', () => {
      fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), answers));
    });

    it('such as scraps of XML', () => {
      const scrap = fc.constantFrom(
        ...Array.from('<>/="\'&; x!?[]-'),
        '<a>',
        '</a>',
        '<!--',
        '-->',
        '<![CDATA[',
        ']]>',
        '<!DOCTYPE',
        '&#1;',
        '<?xml',
        '?>',
        'xmlns:',
        '__proto__',
        '<distribution>',
        '</distribution>',
      );
      fc.assert(fc.property(fc.string({ unit: scrap, maxLength: 40 }), answers), { numRuns: 2000 });
    });

    it('such as scraps of parts', () => {
      const scrap = fc.constantFrom(
        '<farm:part xmlns:farm="urn:distrofarm:1">',
        '</farm:part>',
        '<farm:include href="a.xml"/>',
        '<farm:include href="b/../b.xml"/>',
        '<farm:include href="../c.xml"/>',
        '<pkg name="a"/>',
        '<pkg name="*"/>',
        'text',
        '<',
      );
      const part = fc.string({ unit: scrap, maxLength: 6 });
      fc.assert(
        fc.property(part, part, (a, b) => {
          const files = new Map([
            ['a.xml', a],
            ['b.xml', b],
          ]);
          const result = parseManifest(
            smallManifest().replace(
              '<pkg name="vim"/>',
              '<farm:include href="a.xml"/><farm:include href="b.xml"/>',
            ),
            {
              file: 'x.xml',
              now: new Date(0),
              included: (path) => {
                const text = files.get(path);
                return text === undefined ? { ok: false, reason: 'does not exist' } : { ok: true, text };
              },
            },
          );
          if (!result.ok) expect(result.problems.length).toBeGreaterThan(0);
          else expect(result.manifest.includes).toEqual(['a.xml', 'b.xml']);
        }),
        { numRuns: 500 },
      );
    });

    it.each(['farm.xml', 'slim_cd_x86.xml'])('such as %s with parts cut, doubled and exchanged', (name) => {
      const text = readFixture(`valid/${name}`);
      const place = fc.nat(text.length);
      fc.assert(
        fc.property(
          place,
          place,
          place,
          fc.constantFrom('', '<', '"', '&', '>', '/', '\u0000', ']]>', '<!'),
          (a, b, c, extra) => {
            const [from = 0, to = 0] = [a, b].toSorted((x, y) => x - y);
            const part = text.slice(from, Math.min(to, from + 300));
            answers(text.slice(0, c) + extra + part + text.slice(c));
            answers(text.slice(0, from) + extra + text.slice(to));
          },
        ),
        { numRuns: 60 },
      );
    });

    it('such as large values wherever a rule looks at them', () => {
      const large = 'a'.repeat(100_000);
      for (const text of [
        smallManifest({ attributes: `name="${large}"` }),
        smallManifest({ buildArea: `rpool/${large}` }),
        smallManifest({ image: `<hostname>${'a.'.repeat(50_000)}</hostname>` }),
        smallManifest({ steps: step(large) + step('b') }),
        smallManifest({
          steps: script(`<checkpoint name="a"/><farm:reads>${'"\\"'.repeat(30_000)}</farm:reads>`),
        }),
        smallManifest({
          steps: script(`<checkpoint name="a"/><argslist>${`'"`.repeat(50_000)}x'</argslist>`),
        }),
        smallManifest({
          flags: `<distro_constr_flags><checkpoint_enable resume_from="${large}"/></distro_constr_flags>`,
        }),
        smallManifest({
          steps: script(
            `<checkpoint name="a"/>${`<farm:output path="tmp/${'a/'.repeat(500)}a"/>`.repeat(500)}`,
          ),
        }),
        smallManifest({ rest: `<farm:variants>${'<farm:variant name="a"/>'.repeat(5000)}</farm:variants>` }),
      ]) {
        // A rule that takes the square of the length takes minutes, and so the test's own limit.
        answers(text);
      }
    });
  });
});
