import { describe, expect, it } from '@jest/globals';
import type { DraftElement } from './draft-element.js';
import { readXml } from './read-xml.js';

function rootOf(text: string): DraftElement {
  const result = readXml(text);
  if (!result.ok) throw new Error(result.found);
  return result.root;
}

function faultOf(text: string): string {
  const result = readXml(text);
  return result.ok ? 'none' : `${result.position.line}:${result.position.column} ${result.found}`;
}

describe('readXml', () => {
  it('reads names, attributes, text and where they stand', () => {
    const root = rootOf('<?xml version="1.0"?>\r\n<a>\r\n  <b  c = " 1 "\r\n\td=\'2\'> x </b>\r\n</a>\r\n');
    expect(root).toMatchObject({ name: 'a', text: '', line: 2, column: 1 });
    const [b] = root.children;
    expect(b).toMatchObject({ name: 'b', text: 'x', line: 3, column: 3 });
    expect([...(b?.attributes ?? [])]).toEqual([
      ['c', '1'],
      ['d', '2'],
    ]);
    expect([...(b?.attributePositions ?? [])]).toEqual([
      ['c', { line: 3, column: 7 }],
      ['d', { line: 4, column: 2 }],
    ]);
  });

  it.each([
    ['<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;</a>', '<>&"\'A😀'],
    ['<a>&amp;lt;</a>', '&lt;'],
    ['<a><![CDATA[<b>&lt;]]></a>', '<b>&lt;'],
    ['<a>on<!-- e -->e</a>', 'one'],
    ['<a>\n "one" \n</a>', 'one'],
    ["<a>'it is'</a>", 'it is'],
    ['<a>"one" "two"</a>', '"one" "two"'],
    ['<a>""</a>', ''],
    ['\ufeff<a>x</a>', 'x'],
    ['<a/>', ''],
    ['<argslist>"one"</argslist>', '"one"'],
    ['<f:arg xmlns:f="urn:distrofarm:1"> "one" </f:arg>', ' "one" '],
    ['<a>1.0</a>', '1.0'],
    ['<a>0x10</a>', '0x10'],
  ])('reads the text of %s', (text, expected) => {
    expect(rootOf(text).text).toBe(expected);
  });

  it('reads white space in attributes as XML has it', () => {
    expect(rootOf('<a b="x\n\ty&#10;z > "/>').attributes.get('b')).toBe('x  y\nz >');
  });

  it.each([
    ['<f:a xmlns:f="urn:distrofarm:1" f:b="1" c="2"/>', 'farm:a', ['farm:b', 'c']],
    ['<a xmlns="urn:distrofarm:1" b="1"/>', 'farm:a', ['b']],
    ['<a xmlns:farm="urn:other" farm:b="1"/>', 'a', ['{urn:other}b']],
    ['<a xml:lang="en"/>', 'a', ['xml:lang']],
  ])('resolves the namespaces of %s', (text, name, attributes) => {
    const root = rootOf(text);
    expect([root.name, [...root.attributes.keys()]]).toEqual([name, attributes]);
  });

  it('ends a namespace where its element ends', () => {
    expect(faultOf('<a><b xmlns:f="urn:x"/><f:c/></a>')).toBe('1:24 the undeclared prefix "f:"');
  });

  it.each(['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', '_text'])(
    'takes the name %s as a name',
    (name) => {
      const root = rootOf(`<a ${name}="1"><${name} b="2"/><${name}>x</${name}></a>`);
      expect(root.attributes.get(name)).toBe('1');
      expect(root.children.map((child) => child.name)).toEqual([name, name]);
      expect(({} as Record<string, unknown>)['b']).toBeUndefined();
    },
  );

  it.each([
    ['', /^1:1 /],
    ['no xml', /^1:1 /],
    ['<a>', /^1:1 .*not well-formed/],
    ['<a>\n<b></c>\n</a>', /^2:4 .*not well-formed/],
    ['<a b=1/>', /not well-formed/],
    ['<a b="1" b="2"/>', /not well-formed/],
    ['<a b/>', /not well-formed/],
    ['<a b="<"/>', /^1:4 the character "<"/],
    ['<a/>\n<b/>', /^2:1 a second root element/],
    ['<a></a><b></b>', /not well-formed/],
    ['<a/>x', /^1:5 text after the root/],
    ['<a>&nbsp;</a>', /^1:1 the reference "&nbsp;"/],
    ['<a>&</a>', /not well-formed/],
    ['<a b="&x;"/>', /^1:4 the reference "&x;"/],
    ['<a b="x & y"/>', /^1:4 the reference "&"/],
    ['<a>&#0;</a>', /the reference "&#0;"/],
    ['<a>&#1;</a>', /the reference "&#1;"/],
    ['<a>&#xD800;</a>', /the reference "&#xD800;"/],
    ['<a>&#x110000;</a>', /the reference "&#x110000;"/],
    ['<a>&#99999999999;</a>', /the reference "&#99999999999;"/],
    ['<a>&#x9b;</a>', /the reference "&#x9b;"/],
    ['<a>\u0001</a>', /^1:4 the character U\+0001/],
    ['<a>\u009b</a>', /U\+009B/],
    ['<a>\ud800</a>', /U\+D800/],
    ['<a>\uffff</a>', /U\+FFFF/],
    ['<\u0000a\u0000/\u0000>', /U\+0000/],
    ['<!DOCTYPE a><a/>', /^1:1 "<!DOCTYPE"/],
    ['<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', /^1:1 "<!DOCTYPE"/],
    ['<a><!ENTITY b "c"></a>', /^1:4 "<!ENTITY"/],
    ['<a><!-- x </a>', /^1:4 a comment without end/],
    ['<a><![CDATA[ x </a>', /^1:4 a CDATA section without end/],
    ["<a><?php don't ?></a>", /^1:4 a processing instruction/],
    ['<?xml version="1.0" encoding="ISO-8859-1"?><a/>', /^1:1 the encoding "ISO-8859-1"/],
    ['<a><xi:include href="/etc/shadow"/></a>', /^1:4 the undeclared prefix "xi:"/],
    ['<a><b:c:d/></a>', /at most|"b:c:d"/],
  ])('refuses %j', (text, fault) => {
    expect(faultOf(text)).toMatch(fault);
  });

  it('lets comments say what elements may not', () => {
    expect(rootOf('<a><!-- <!DOCTYPE x> &foo; <?x?> --></a>').text).toBe('');
  });

  describe('hostile sizes', () => {
    const laughs = Array.from({ length: 10 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join(
      '',
    );
    it.each([
      ['billion laughs', `<!DOCTYPE a [<!ENTITY l0 "lol">${laughs}]><a>&l10;</a>`, /DOCTYPE/],
      ['10,000 levels', '<a>'.repeat(10_000) + '</a>'.repeat(10_000), /nested|level/],
      ['100 levels', '<a>'.repeat(100) + '</a>'.repeat(100), /^1:193 one level more/],
      ['100,000 levels, never closed', '<a>'.repeat(100_000), /element more|not well-formed/],
      ['a million references', `<a>${'&#1;'.repeat(200_000)}</a>`, /the reference "&#1;"/],
      ['more than a million references', `<a>${'&#1;'.repeat(1_000_000)}</a>`, /bytes/],
      ['2 MiB', `<a>${'x'.repeat(2 ** 21)}</a>`, /bytes/],
      ['2 MiB in UTF-8 only', `<a>${'é'.repeat(600_000)}</a>`, /bytes/],
      ['too many elements', `<a>${'<b/>'.repeat(20_001)}</a>`, /element more/],
      ['a long name', `<a><${'b'.repeat(200_000)}/></a>`, /a name of 200000 characters/],
      [
        'many attributes',
        `<a ${Array.from({ length: 30_000 }, (_, i) => `a${i}="x"`).join(' ')}/>`,
        /30000 attributes/,
      ],
      ['many blanks in a tag', `<a${' '.repeat(1_000_000)}b/>`, /not well-formed/],
      ['many open quotes', `<a>${`<b c="`.repeat(10_000)}</a>`, /./],
      ['many open comments', `<a>${'<!--'.repeat(250_000)}</a>`, /a comment without end/],
      ['many open CDATA sections', `<a>${'<![CDATA['.repeat(100_000)}</a>`, /a CDATA section without end/],
      ['many ampersands', `<a>${'&'.repeat(1_000_000)}</a>`, /not well-formed/],
      ['many prefixes', `<a>${'<b:c>'.repeat(5_000)}${'</b:c>'.repeat(5_000)}</a>`, /nested|undeclared/],
    ])('refuses %s in a blink', (_, text, fault) => {
      const start = performance.now();
      expect(faultOf(text)).toMatch(fault);
      expect(performance.now() - start).toBeLessThan(3000);
    });

    it('reads half a megabyte of manifest', () => {
      expect(
        rootOf(`<a>${'<b name="a value of some length">text</b>'.repeat(12_000)}</a>`).children,
      ).toHaveLength(12_000);
    });
  });
});
