import { ConsoleReader, type ConsoleEvent } from './console-reader.js';

function readAll(pieces: readonly string[]): {
  events: ConsoleEvent[];
  lines: string[];
  reader: ConsoleReader;
} {
  const events: ConsoleEvent[] = [];
  const lines: string[] = [];
  const reader = new ConsoleReader(
    (event) => events.push(event),
    (line) => lines.push(line),
  );
  for (const piece of pieces) reader.read(piece);
  return { events, lines, reader };
}

describe('ConsoleReader', () => {
  it('recognizes the announcement of the live system, wherever the output was cut', () => {
    const { events } = readAll([
      'login: \r\ndistrofarm-live: up arch=i6',
      '86 dpkg=i386 name=Debian Live\r\n',
    ]);
    expect(events).toEqual([{ kind: 'announced', arch: 'i686', dpkg: 'i386', name: 'Debian Live' }]);
  });

  it('waits for the end of the announcement', () => {
    expect(readAll(['distrofarm-live: up arch=x86_64 dpkg=amd64 name=Debian']).events).toEqual([]);
  });

  it.each([
    ['---[ end Kernel panic - not syncing: Attempted to kill init! ]---', 'Attempted to kill init!'],
    ["[    0.2] Kernel panic - not syncing: IO-APIC + timer doesn't work!", "IO-APIC + timer doesn't work!"],
  ])('gives the reason of a panic: %s', (line, reason) => {
    expect(readAll([`${line}\n`]).events).toEqual([{ kind: 'panic', reason }]);
  });

  it('tells that the boot archive gave up', () => {
    expect(readAll(['distrofarm-live: failed: no medium with the id 7 was found\n']).events).toEqual([
      { kind: 'rescue', reason: 'no medium with the id 7 was found' },
    ]);
  });

  it('sees the menu once, though it ends no line and is drawn again and again', () => {
    const menu = '\u001b[2J\u001b[01;20HGNU GRUB  version 2.06';
    expect(readAll([menu, menu]).events).toEqual([{ kind: 'menu' }]);
  });

  it('hands out lines without escape sequences and keeps the newest', () => {
    const { lines, reader } = readAll(['\u001b[0;32m  OK  \u001b[0m Started.\r\n', 'log', 'in: ']);
    expect(lines).toEqual(['  OK   Started.']);
    expect(reader.lastLines).toEqual(['  OK   Started.', 'login: ']);
  });
});
