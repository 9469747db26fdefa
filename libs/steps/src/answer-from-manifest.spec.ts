import { describe, expect, it } from '@jest/globals';
import { parseManifest } from '#libs/manifest';
import { planBuild } from '#libs/plan';
import { smallManifest } from '../../manifest/src/testing.js';
import { answerFromManifest } from './answer-from-manifest.js';
import { AskedReads } from './asked-reads.js';

/** What a step that declares these reads gets, and what is remembered of its queries. */
function asking(declared: string | null, ...requests: readonly string[]) {
  const reads = declared === null ? '' : `<farm:reads>${declared}</farm:reads>`;
  const text = smallManifest({ steps: `<script name="s"><checkpoint name="pop"/>${reads}</script>` });
  const parsed = parseManifest(text, { file: 'm.xml', now: new Date(0) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const source = { path: '/s', digest: 'd', reads: null, environment: [] };
  const [step] = planBuild(parsed.manifest, text, [source]).steps;
  const asked = new AskedReads();
  const notes: string[] = [];
  const answer = answerFromManifest(
    parsed.manifest,
    step!,
    (note) => notes.push(note),
    (nodepath) => asked.see(step!, nodepath),
  );
  const answers = requests.map((request) => answer(request, false));
  return { answers, notes, asked: asked.of(step!) };
}

describe('answerFromManifest', () => {
  it('refuses what a step does not declare, and says what to add and where to look', () => {
    const { answers, notes, asked } = asking('name', 'img_params/packages/pkg/name');
    const reason =
      'step "pop" asked for "img_params/packages/pkg/name", which is not among its declared reads: add it to its farm:reads, ' +
      "in the manifest or the script's header (distrofarm reads shows what past runs asked for)";
    expect(answers).toEqual([{ kind: 'refused', reason }]);
    expect(notes).toEqual([`refused: ${reason}`]);
    expect(asked).toEqual([]);
  });

  it('remembers what was asked and answered, each once, sorted', () => {
    const { asked } = asking(
      null,
      'name',
      'img_params/nothing',
      'name',
      'img_params/rootpass',
      '/no/nodepath',
    );
    expect(asked).toEqual(['img_params/nothing', 'name']);
  });

  it('remembers no more than anybody wants to look at', () => {
    const many = Array.from({ length: 300 }, (_, at) => `a/b${at}`);
    expect(asking(null, ...many).asked).toHaveLength(200);
    expect(asking(null, `a/${'b'.repeat(200)}`, 'a[b="\u0007"]').asked).toEqual([]);
  });
});
