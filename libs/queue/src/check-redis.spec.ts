import { describe, expect, it } from '@jest/globals';
import { judgeRedis } from './check-redis.js';

const judge = (version: string) =>
  judgeRedis(
    `# Server\r\n${version}\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n`,
    '',
  ).map(({ severity, text }) => `${severity}: ${text}`);

describe('judgeRedis, by the version', () => {
  const cases: readonly (readonly [string, RegExp | null])[] = [
    ['redis_version:5.0.14', /^refuse: redis 5\.0\.14 is too old: install 6\.2\.0 or newer\.$/],
    ['redis_version:6.0.16', /^refuse/],
    ['redis_version:6.2.19', /^warn: .*CVE-2025-49844/],
    ['redis_version:6.2.20', null],
    ['redis_version:7.0.15', /^warn: .*unless your distribution has patched/],
    ['redis_version:7.2.10', /^warn/],
    ['redis_version:7.2.11', null],
    ['redis_version:7.4.5', /^warn/],
    ['redis_version:8.0.3', /^warn/],
    ['redis_version:8.2.2', null],
    ['redis_version:8.4.0', null],
    ['redis_version:10.0.0', null],
    ['redis_version:7.2.4\r\nvalkey_version:8.1.4', null],
    ['redis_version:7.2.4\r\nvalkey_version:8.1.3', /^warn: valkey 8\.1\.3/],
    ['redis_version:7.2.4\r\nvalkey_version:9.0.0', null],
    ['nothing:0', /^refuse/],
  ];
  for (const [version, problem] of cases) {
    it(`finds ${problem?.source ?? 'nothing'} in ${version.replace('\r\n', ' ')}`, () => {
      const problems = judge(version);
      if (problem === null) expect(problems).toEqual([]);
      else expect(problems).toEqual([expect.stringMatching(problem)]);
    });
  }
});
