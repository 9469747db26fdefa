import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QemuMonitor, readMonitorMessage, type MonitorMessage } from './qemu-monitor.js';

describe('readMonitorMessage', () => {
  it.each<[string, MonitorMessage]>([
    ['{"QMP": {"version": {}, "capabilities": []}}', { kind: 'other' }],
    ['{"return": {}}', { kind: 'answer' }],
    ['{"return": false}', { kind: 'answer' }],
    [
      '{"error": {"class": "GenericError", "desc": "no such format"}}',
      { kind: 'refusal', reason: 'no such format' },
    ],
    ['{"error": null}', { kind: 'refusal', reason: 'no reason given' }],
    [
      '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true}}',
      { kind: 'event', name: 'SHUTDOWN' },
    ],
    ['{"event": 3}', { kind: 'other' }],
    ['[]', { kind: 'other' }],
    ['null', { kind: 'other' }],
    ['{"return": ', { kind: 'other' }],
  ])('%s', (line, message) => {
    expect(readMonitorMessage(line)).toEqual(message);
  });
});

describe('QemuMonitor', () => {
  let folder: string;
  let server: Server | null = null;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qemu-monitor-'));
  });
  afterEach(async () => {
    server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Greets, and answers each command by what `answers` has for it, in two pieces. */
  async function listen(answers: Readonly<Record<string, string>>): Promise<string> {
    const path = join(folder, 'monitor');
    server = createServer((socket) => {
      socket.write('{"QMP": {}}\r\n');
      socket.setEncoding('utf8').on('data', (line: string) => {
        const { execute } = JSON.parse(line) as { execute: string };
        const answer = answers[execute];
        if (answer === undefined) socket.destroy();
        else setImmediate(() => void (socket.write(answer.slice(0, 5)), socket.write(answer.slice(5))));
      });
    });
    await new Promise<void>((resolve) => server?.listen(path, resolve));
    return path;
  }

  it('gives each command its answer, and tells of events in between', async () => {
    const path = await listen({
      qmp_capabilities: '{"return": {}}\r\n',
      screendump: '{"event": "STOP"}\r\n{"return": {}}\r\n',
      bad: '{"error": {"desc": "no"}}\r\n',
    });
    const events: string[] = [];
    const monitor = await QemuMonitor.open(path, (name) => events.push(name), AbortSignal.timeout(5000));
    await monitor.execute('screendump', { filename: '/x' });
    expect(events).toEqual(['STOP']);
    await expect(monitor.execute('bad')).rejects.toThrow('bad: no');
    await expect(monitor.execute('ends')).rejects.toThrow('the emulator has ended');
    await expect(monitor.execute('screendump')).rejects.toThrow('the emulator has ended');
    monitor.close();
  });

  it('waits for the emulator to listen, but not for ever', async () => {
    const ending = new AbortController();
    const opened = QemuMonitor.open(join(folder, 'monitor'), () => undefined, ending.signal);
    ending.abort();
    await expect(opened).rejects.toThrow();
  });
});
