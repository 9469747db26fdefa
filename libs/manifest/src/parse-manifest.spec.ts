import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { formatProblem, parseManifest } from './index.js';
describe('x', () => {
  it('y', () => {
    const d = new URL('../../../test/fixtures/manifests/invalid/', import.meta.url);
    for (const f of readdirSync(d).filter((x) => x.endsWith('.xml'))) {
      const r = parseManifest(readFileSync(new URL(f, d), 'utf8'), { file: f, now: new Date() });
      expect(r.ok).toBe(false);
      if (!r.ok) writeFileSync(new URL(f.replace(/xml$/, 'problems.txt'), d), r.problems.map(formatProblem).join('\n') + '\n');
    }
  });
});
