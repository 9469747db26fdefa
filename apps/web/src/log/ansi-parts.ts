import Anser from 'anser';
import { showControls } from '../session/visible-text.js';

/** A piece of a line that looks the same all along. */
export interface AnsiPart {
  readonly text: string;
  /** Classes of style/log.css. */
  readonly looks: string;
  /** `rgb(…)` of colours beyond the sixteen. */
  readonly color: string | null;
  readonly background: string | null;
}

/** Colours and weights. */
const LOOKS = /(\u001b\[[0-9;:]*m)/;
/** What moves the cursor or clears parts of the screen: it carries no text, and a page has no cursor. */
const MOVES = /\u001b\[[0-?]*[ -/]*[@-ln-~]/g;

/** A longer line is cut in the view; it is whole in the log that one saves. Characters. */
const MOST_SHOWN = 2_000;
/** Of a line of megabytes no more is looked at; what it moves the cursor by is among it. */
const LOOKED_AT = 10 * MOST_SHOWN;

/**
 * A line of a log as text with looks. Escape sequences for colours and weights are rendered, those that move a cursor are left out, and every other
 * control character, bidirectional ones too, is shown instead of obeyed. The result is data: no HTML is made of it.
 */
export function ansiParts(line: string): readonly AnsiPart[] {
  const shown = line
    .slice(0, LOOKED_AT)
    .replace(MOVES, '')
    .slice(0, MOST_SHOWN)
    .split(LOOKS)
    .map((part, index) => (index % 2 === 1 ? part : showControls(part)))
    .join('');
  const parts = Anser.ansiToJson(shown, { use_classes: true, remove_empty: true }).map(partOf);
  const left = line.length - MOST_SHOWN;
  if (left <= 0) return parts;
  return [...parts, { text: ` … ${left} more characters`, looks: 'cut', color: null, background: null }];
}

function partOf(entry: Anser.AnserJsonEntry): AnsiPart {
  // What is hidden in a terminal is not hidden here; colours are turned round already.
  const decorations = entry.decorations.filter((each) => !['hidden', 'blink', 'reverse'].includes(each));
  const [front, back] = [sixteen(entry.fg), sixteen(entry.bg)];
  return {
    text: entry.content,
    looks: [
      ...(front === null ? [] : [`fg-${front}`]),
      ...(back === null ? [] : [`bg-${back}`]),
      ...decorations,
    ].join(' '),
    color: front === null ? beyondSixteen(entry.fg, entry.fg_truecolor) : null,
    background: back === null ? beyondSixteen(entry.bg, entry.bg_truecolor) : null,
  };
}

/** `red` of `ansi-red`; `null` for what is not one of the sixteen. */
function sixteen(name: string | null): string | null {
  const match = /^ansi-((?:bright-)?(?:black|red|green|yellow|blue|magenta|cyan|white))$/.exec(name ?? '');
  return match?.[1] ?? null;
}

function beyondSixteen(name: string | null, triple: string | null): string | null {
  if (/^\d{1,3}, ?\d{1,3}, ?\d{1,3}$/.test(triple ?? '')) return `rgb(${triple ?? ''})`;
  const index = /^ansi-palette-(\d{1,3})$/.exec(name ?? '')?.[1];
  return index === undefined ? null : paletteColour(Number(index));
}

/** Of xterm's 256: a cube of six steps, 16 to 231, and greys, 232 to 255. */
function paletteColour(index: number): string {
  if (index >= 232) {
    const grey = 8 + 10 * (index - 232);
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const steps = [Math.floor((index - 16) / 36), Math.floor((index - 16) / 6) % 6, (index - 16) % 6];
  return `rgb(${steps.map((step) => (step === 0 ? 0 : 55 + 40 * step)).join(', ')})`;
}
