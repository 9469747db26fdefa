/** What the serial console of a booting image says that ends the wait for it, or asks for a key. */
export type ConsoleEvent =
  | { readonly kind: 'menu' }
  | { readonly kind: 'announced'; readonly arch: string; readonly dpkg: string; readonly name: string }
  | { readonly kind: 'panic'; readonly reason: string }
  /** The boot archive runs, but did not find or could not mount its medium. */
  | { readonly kind: 'rescue'; readonly reason: string };

const ANNOUNCED = /distrofarm-live: up arch=(\S+) dpkg=(\S+) name=(.*)$/;
const RESCUE = /distrofarm-live: failed: (.*)$/;
const PANIC = /Kernel panic - not syncing: (.*?)(?: +\]?-*)?$/;
/** The first words of GRUB's menu; it is drawn with cursor movements, so they end no line. */
const MENU = 'GNU GRUB';
const ESCAPE_SEQUENCES = /\u001b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>c])/g;
const KEPT_LINES = 40;
/** A menu is one endless line; what counts is at the end of it. */
const LONGEST_LINE = 4096;

/** Turns console output, in pieces as they come, into lines and events. Knows nothing of the emulator. */
export class ConsoleReader {
  private pending = '';
  private sawMenu = false;
  private readonly lines: string[] = [];

  constructor(
    private readonly onEvent: (event: ConsoleEvent) => void,
    private readonly onLine: (line: string) => void = () => undefined,
  ) {}

  /** The newest last; the unfinished line included. */
  get lastLines(): readonly string[] {
    return this.pending.trim() === '' ? [...this.lines] : [...this.lines, this.pending];
  }

  read(piece: string): void {
    const text = (this.pending + piece).replace(ESCAPE_SEQUENCES, '');
    const lines = text.split(/[\r\n]+/);
    this.pending = (lines.pop() ?? '').slice(-LONGEST_LINE);
    if (!this.sawMenu && text.includes(MENU)) {
      this.sawMenu = true;
      this.onEvent({ kind: 'menu' });
    }
    for (const line of lines) if (line.trim() !== '') this.readLine(line.slice(-LONGEST_LINE));
  }

  private readLine(line: string): void {
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
    this.onLine(line);
    const event = eventOf(line);
    if (event !== null) this.onEvent(event);
  }
}

function eventOf(line: string): ConsoleEvent | null {
  const announced = ANNOUNCED.exec(line);
  if (announced !== null) {
    const [, arch = '', dpkg = '', name = ''] = announced;
    return { kind: 'announced', arch, dpkg, name };
  }
  const panic = PANIC.exec(line);
  if (panic !== null) return { kind: 'panic', reason: panic[1] ?? '' };
  const rescue = RESCUE.exec(line);
  return rescue === null ? null : { kind: 'rescue', reason: rescue[1] ?? '' };
}
