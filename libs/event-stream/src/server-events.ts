/** One event of a server-sent event stream. */
export interface ServerEvent {
  /** The last id that came, with this event or an earlier one; `null` before the first. */
  readonly id: string | null;
  /** `message` where the server named none. */
  readonly event: string;
  /** Lines joined by `\n`. */
  readonly data: string;
}

/** An event larger than this ends the stream: it is not from our coordinator. Characters. */
const MAX_EVENT = 8 * 1024 * 1024;

/**
 * Reads `text/event-stream` as the HTML standard has it (section 9.2.6), whatever the chunks. One difference: an event without data is told
 * too, if it has a name. An event not ended by an empty line is dropped.
 */
export class ServerEventParser {
  #rest = '';
  #id: string | null = null;
  #event = '';
  #data: string[] = [];
  #size = 0;
  #started = false;

  /** The events that this text completes. Throws a RangeError when one is too large. */
  *push(text: string): Generator<ServerEvent> {
    for (const line of this.#lines(text)) {
      if (line === '') yield* this.#dispatch();
      else this.#field(line);
    }
  }

  /** A CR at the very end waits: the LF that belongs to it may be in the next chunk. */
  #lines(text: string): string[] {
    if (!this.#started && text !== '') {
      this.#started = true;
      text = text.replace(/^\uFEFF/, '');
    }
    const whole = this.#rest + text;
    const waits = whole.endsWith('\r');
    const lines = (waits ? whole.slice(0, -1) : whole).split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? '') + (waits ? '\r' : '');
    if (this.#rest.length > MAX_EVENT) throw tooLarge();
    return lines;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#add(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #add(line: string): void {
    this.#size += line.length + 1;
    if (this.#size > MAX_EVENT) throw tooLarge();
    this.#data.push(line);
  }

  *#dispatch(): Generator<ServerEvent> {
    const told = this.#data.length > 0 || this.#event !== '';
    const event = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') };
    this.#event = '';
    this.#data = [];
    this.#size = 0;
    if (told) yield event;
  }
}

function tooLarge(): RangeError {
  return new RangeError(`an event of the stream has more than ${MAX_EVENT} characters`);
}
