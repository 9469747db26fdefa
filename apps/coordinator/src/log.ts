import type { Logger } from 'pino';

/** The process's log, as an injectable class: JSON lines with a fixed message and facts in fields. Never secrets, never build output. */
export abstract class Log {
  abstract readonly debug: Logger['debug'];
  abstract readonly info: Logger['info'];
  abstract readonly warn: Logger['warn'];
  abstract readonly error: Logger['error'];
}
