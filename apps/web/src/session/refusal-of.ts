import { Refused } from './api-failure.js';
import { parseShown } from './visible-text.js';

/** What is said of an answer that does not say it itself: it may not even be the farm's. */
const WORDS: Readonly<Record<number, readonly [message: string, hint: string | null]>> = {
  401: ['the token is not accepted', null],
  403: ['what is in front of the farm does not allow this', 'Whoever runs the proxy can say why.'],
  404: [
    'the farm has nothing at this address of its API',
    'It may be of another version than the page: load the page anew.',
  ],
  413: ['what was sent is larger than the farm, or what is in front of it, takes', null],
  429: ['the farm was asked too often', 'Wait a moment, and try again.'],
  502: ['the proxy in front of the farm does not reach it', null],
  503: ['the farm is not available', null],
  504: ['the farm did not answer the proxy in front of it in time', null],
};

/** No honest answer asks for more. */
const LONGEST_WAIT_S = 3600;

/** The refusal that an answer is, whatever its body is. */
export function refusalOf(status: number, retryAfter: string | null, body: string): Refused {
  const said = fieldsOf(body);
  const [message, hint] = WORDS[status] ?? [`the farm answered with status ${status}, and no reason`, null];
  const seconds = /^\d{1,9}$/.test(retryAfter ?? '') ? Math.min(Number(retryAfter), LONGEST_WAIT_S) : null;
  const wait = seconds === null ? null : `Try again in ${seconds} s.`;
  return new Refused(
    textOf(said['code']) ?? 'UNEXPECTED',
    status,
    textOf(said['message']) ?? message,
    textOf(said['hint']) ?? (textOf(said['message']) === null ? (wait ?? hint) : wait),
    Array.isArray(said['problems']) ? said['problems'].filter((each) => typeof each === 'string') : [],
    seconds === null ? null : seconds * 1000,
  );
}

function fieldsOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const value = parseShown(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
