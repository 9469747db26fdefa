export type SplitResult =
  { readonly ok: true; readonly words: readonly string[] } | { readonly ok: false; readonly quote: string };

/**
 * The arguments of an `argslist`, by the rules of distro_const: quotes delimit, blanks do not. So `"a b" "c"`
 * are two arguments, `x y z` is one, text beside a quoted argument belongs to the next one (`"a" b "c"` gives
 * `a` and `b c`), a backslash protects a quote, and an empty pair of quotes gives nothing. Unlike in the original,
 * an apostrophe between two letters or digits (`don't`) is an ordinary character.
 *
 * `ok: false` names the quote that is never closed.
 */
export function splitArguments(list: string): SplitResult {
  const words: string[] = [];
  let pending = '';
  const finish = (quoted: string): void => {
    const word = quoted === '' ? pending.trim() : pending.trimStart() + quoted;
    if (word !== '') words.push(word);
    pending = '';
  };
  const scanner = new QuoteScanner(list);
  for (let piece = scanner.next(); piece !== null; piece = scanner.next()) {
    if (piece.kind === 'open') return { ok: false, quote: piece.quote };
    if (piece.kind === 'quoted') finish(piece.text);
    else pending += piece.text;
  }
  finish('');
  return { ok: true, words };
}

/**
 * The words of a command line without a shell: blanks separate, quotes protect blanks, a backslash protects a
 * quote. For the extension's own lists, where the quoting of `argslist` would surprise.
 */
export function splitWords(line: string): SplitResult {
  const words: string[] = [];
  let pending: string | null = null;
  const scanner = new QuoteScanner(line);
  for (let piece = scanner.next(); piece !== null; piece = scanner.next()) {
    if (piece.kind === 'open') return { ok: false, quote: piece.quote };
    if (piece.kind === 'bare' && /^\s$/.test(piece.text)) {
      if (pending !== null) words.push(pending);
      pending = null;
    } else {
      pending = (pending ?? '') + piece.text;
    }
  }
  if (pending !== null) words.push(pending);
  return { ok: true, words };
}

type Piece =
  | { readonly kind: 'bare'; readonly text: string }
  | { readonly kind: 'quoted'; readonly text: string }
  | { readonly kind: 'open'; readonly quote: string };

/** Cuts a text into single bare characters and whole quoted parts. */
class QuoteScanner {
  private index = 0;

  constructor(private readonly text: string) {}

  next(): Piece | null {
    const character = this.text[this.index];
    if (character === undefined) return null;
    if (this.isEscape()) {
      const text = this.text[this.index + 1] ?? '';
      this.index += 2;
      return { kind: 'bare', text };
    }
    if (character === '"' || (character === "'" && !this.isInsideWord())) return this.quoted(character);
    this.index += 1;
    return { kind: 'bare', text: character };
  }

  private quoted(quote: string): Piece {
    let text = '';
    for (this.index += 1; this.index < this.text.length; this.index += 1) {
      if (this.text[this.index] === quote) {
        this.index += 1;
        return { kind: 'quoted', text };
      }
      if (this.isEscape()) this.index += 1;
      text += this.text[this.index] ?? '';
    }
    return { kind: 'open', quote };
  }

  private isEscape(): boolean {
    const next = this.text[this.index + 1];
    return this.text[this.index] === '\\' && (next === '"' || next === "'");
  }

  private isInsideWord(): boolean {
    const isLetter = /^[\p{L}\p{N}]$/u;
    return isLetter.test(this.text[this.index - 1] ?? '') && isLetter.test(this.text[this.index + 1] ?? '');
  }
}
