import type { Output } from './io.js';
import type { ScreenSize } from './render-watch.js';

const REDRAW_MS = 250;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
/** A line that turns out wider than the terminal thinks must not push the others down. */
const NO_WRAP = '\u001b[?7l';
const WRAP = '\u001b[?7h';
/** What comes between is shown at once, where the terminal knows this. */
const BEGIN = '\u001b[?2026h';
const END = '\u001b[?2026l';
const TO_LINE_END = '\u001b[K';
const TO_SCREEN_END = '\u001b[J';
const CLEAR = '\u001b[2J\u001b[H';

/**
 * A block of lines that is drawn over itself, below what the terminal shows already. One at a time. `stop` leaves its last state on the
 * terminal; call it always, since it gives the cursor back.
 */
export class LiveScreen {
  #drawn: readonly string[] = [];
  #size: ScreenSize;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly terminal: Output,
    private readonly render: (size: ScreenSize) => readonly string[],
  ) {
    this.#size = sizeOf(terminal);
    terminal.write(HIDE_CURSOR);
    this.draw();
    this.#timer = setInterval(() => this.draw(), REDRAW_MS);
  }

  /** Writes only when something changed. A resized terminal has moved its lines about: the screen is started anew. */
  draw(): void {
    const size = sizeOf(this.terminal);
    const resized = size.width !== this.#size.width || size.height !== this.#size.height;
    this.#size = size;
    const lines = this.render(size);
    if (!resized && lines.join('\n') === this.#drawn.join('\n')) return;
    const start = resized ? CLEAR : this.#drawn.length === 0 ? '' : `\u001b[${this.#drawn.length}A\r`;
    const block = lines.map((line) => `${line}${TO_LINE_END}\n`).join('');
    this.terminal.write(`${BEGIN}${NO_WRAP}${start}${block}${TO_SCREEN_END}${WRAP}${END}`);
    this.#drawn = lines;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.draw();
    // The terminal itself echoes Ctrl-C.
    this.terminal.write(`\r${TO_LINE_END}${SHOW_CURSOR}`);
  }
}

/** One line less than the terminal has: the cursor stands below the block. */
function sizeOf({ columns, rows }: Output): ScreenSize {
  // Some terminals say 0 when they do not know.
  return { width: known(columns, 80), height: Math.max(1, known(rows, 24) - 1) };
}

function known(size: number | undefined, otherwise: number): number {
  return size === undefined || size < 1 ? otherwise : size;
}
