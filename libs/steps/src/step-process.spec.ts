// Needs root and Linux namespaces.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runStepProcess, type ProcessEnd, type StepStream } from './step-process.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'step-process-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function runScript(
  body: string,
  {
    args = [] as string[],
    signal = new AbortController().signal,
    killAfterMs = 500,
    onBytes = (): void => {},
  } = {},
): Promise<{ end: ProcessEnd; out: Buffer; err: Buffer }> {
  const script = join(folder, 'script');
  await writeFile(script, `#!/bin/bash\n${body}\n`, { mode: 0o755 });
  const chunks: Record<StepStream, Uint8Array[]> = { out: [], err: [] };
  const end = await runStepProcess({
    script,
    args,
    environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', FOLDER: folder },
    workingFolder: folder,
    workspacePath: folder,
    mediaPath: folder,
    onOutput: (stream, bytes) => {
      chunks[stream].push(bytes);
      onBytes();
    },
    signal,
    killAfterMs,
    stragglerGraceMs: 200,
  });
  return { end, out: Buffer.concat(chunks.out), err: Buffer.concat(chunks.err) };
}

/** A marker in argv that no other process on the machine has. */
async function processesWith(marker: string): Promise<number> {
  let found = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (argv.includes(marker)) found += 1;
  }
  return found;
}

describe('runStepProcess', () => {
  it.each<[string, ProcessEnd]>([
    ['exit 0', { kind: 'exited', status: 0 }],
    ['exit 3', { kind: 'exited', status: 3 }],
    ['exit 137', { kind: 'exited', status: 137 }],
    ['kill -9 $$', { kind: 'killed', signal: 'SIGKILL' }],
    ['kill -SEGV $$', { kind: 'killed', signal: 'SIGSEGV' }],
  ])('tells how %s ended', async (body, expected) => {
    expect((await runScript(body)).end).toEqual(expected);
  });

  it('says why a script could not be started', async () => {
    await writeFile(join(folder, 'broken'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const end = await runStepProcess({
      script: join(folder, 'broken'),
      args: [],
      environment: { PATH: '/usr/bin:/bin' },
      workingFolder: folder,
      workspacePath: folder,
      mediaPath: folder,
      onOutput: () => {},
      signal: new AbortController().signal,
      killAfterMs: 500,
      stragglerGraceMs: 0,
    });
    expect(end).toEqual({ kind: 'not-started', reason: 'No such file or directory' });
  });

  it('passes arguments and environment as they are, and nothing else', async () => {
    const args = ['a b', "it's", '$(id)', '', '-n', 'é\n"'];
    const { out } = await runScript('printf "%s\\0" "$@"; env -0 | sort -z', { args });
    const parts = out.toString().split('\0');
    expect(parts.slice(0, args.length)).toEqual(args);
    expect(parts.slice(args.length, -1).filter((line) => !/^(_|PWD|SHLVL|OLDPWD)=/.test(line))).toEqual([
      `FOLDER=${folder}`,
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  it('gives the script an empty stdin', async () => {
    const { out } = await runScript('cat; echo end');
    expect(out.toString()).toBe('end\n');
  });

  it.each([
    ['merged streams', 'exec 2>&1; echo one; echo two >&2', 'one\ntwo\n', ''],
    ['a closed stdout', 'exec >&-; head -c 300000 /dev/zero | tr "\\0" x >&2', '', 'x'.repeat(300_000)],
    ['a closed stderr', 'exec 2>&-; head -c 300000 /dev/zero | tr "\\0" x', 'x'.repeat(300_000), ''],
    ['a last line without newline', 'printf abc', 'abc', ''],
  ])('drains both streams of a script with %s', async (_, body, out, err) => {
    const result = await runScript(body);
    expect(result.out.toString()).toBe(out);
    expect(result.err.toString()).toBe(err);
  });

  it('keeps bytes that are no UTF-8', async () => {
    const { out } = await runScript("printf '\\xe9\\x00\\xff'");
    expect([...out]).toEqual([0xe9, 0x00, 0xff]);
  });

  it('drains 10 MB without a newline', async () => {
    const { out } = await runScript('head -c 10000000 /dev/zero');
    expect(out.length).toBe(10_000_000);
  });

  it('ends a daemon that the script left behind, also one that left its session', async () => {
    const marker = `left-behind-${process.pid}`;
    const { end } = await runScript(`setsid bash -c 'exec -a ${marker} sleep 1000' & disown; exit 0`);
    expect(end).toEqual({ kind: 'exited', status: 0 });
    expect(await processesWith(marker)).toBe(0);
  });

  it('waits for what still flushes the output', async () => {
    const { out } = await runScript('exec > >(sleep 0.05; cat); echo late');
    expect(out.toString()).toBe('late\n');
  });

  it('keeps mounts to the step', async () => {
    const before = await readFile('/proc/self/mountinfo', 'utf8');
    const { end } = await runScript(
      'mkdir -p "$FOLDER/m"; mount -t tmpfs none "$FOLDER/m" && touch "$FOLDER/m/seen"',
    );
    expect(end).toEqual({ kind: 'exited', status: 0 });
    expect(await readFile('/proc/self/mountinfo', 'utf8')).toBe(before);
    expect(await readdir(join(folder, 'm'))).toEqual([]);
  });

  it('asks an aborted step to end', async () => {
    const abort = new AbortController();
    const { end, out } = await runScript(
      'trap "echo asked; exit 7" TERM; echo ready; while :; do sleep 0.02; done',
      {
        signal: abort.signal,
        killAfterMs: 60_000,
        onBytes: () => abort.abort(),
      },
    );
    expect(out.toString()).toBe('ready\nasked\n');
    expect(end).toEqual({ kind: 'exited', status: 7 });
  });

  it('makes an aborted step end that ignores SIGTERM, with all it started', async () => {
    const abort = new AbortController();
    const marker = `ignores-term-${process.pid}`;
    const body = `trap "" TERM; (exec -a ${marker} sleep 1000) & echo ready; while :; do sleep 0.02; done`;
    const { end } = await runScript(body, {
      signal: abort.signal,
      killAfterMs: 100,
      onBytes: () => abort.abort(),
    });
    expect(end.kind).toBe('killed');
    expect(await processesWith(marker)).toBe(0);
  });

  it('does not start anything when already aborted', async () => {
    const abort = new AbortController();
    abort.abort();
    const { end } = await runScript('sleep 1000', { signal: abort.signal, killAfterMs: 50 });
    expect(end.kind).toBe('killed');
  });
});
