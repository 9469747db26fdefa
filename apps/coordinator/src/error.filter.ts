import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { FarmError, type FarmErrorCode } from '#libs/contracts';
import { BlobError } from '#libs/artifacts';
import { isDatabaseUnavailable } from '#libs/store';
import { Log } from './log.js';

const RETRY_AFTER_SECONDS = '5';

/** Every error leaves the API as a FarmErrorBody; what nobody expected is logged, and told without its details. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const [request, response] = [http.getRequest<Request>(), http.getResponse<Response>()];
    const known = this.#known(error, request);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (known.code === 'UNAVAILABLE' || known.code === 'TOO_MANY')
      response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
    // What is left of a body that nobody reads would be taken for the next request.
    if (!request.readableEnded) response.setHeader('Connection', 'close');
    response.status(known.status).json({ ...known.toBody(), ...extraOf(error) });
  }

  #known(error: unknown, request: Request): FarmError {
    if (error instanceof FarmError) return error;
    if (error instanceof BlobError) return fromBlobError(error);
    if (error instanceof HttpException) return fromHttp(error);
    if (isDatabaseUnavailable(error)) {
      this.log.warn({ component: 'http', err: error }, 'the database does not answer');
      return new FarmError('UNAVAILABLE', 'the database does not answer', 'Try again in a few seconds.');
    }
    if (isOutOfSpace(error)) {
      this.log.warn({ component: 'http', err: error }, 'the disk is full');
      return new FarmError(
        'UNAVAILABLE',
        "the coordinator's disk is full",
        'Try again when whoever runs it has made room in its data folder.',
      );
    }
    const bodyError = fromBodyParser(error);
    if (bodyError !== null) return bodyError;
    this.log.error(
      { component: 'http', method: request.method, path: request.path, err: error },
      'request failed',
    );
    return new FarmError(
      'INTERNAL',
      'the coordinator failed at this',
      "Its log says more; 'request failed'.",
    );
  }
}

function isOutOfSpace(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}

/** WRONG_OFFSET says where to go on. */
function extraOf(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof BlobError && error.offset !== null) return { bytes: error.offset };
  return error instanceof OffsetError ? { bytes: error.bytes } : {};
}

/** The log or upload goes on elsewhere than the caller thought. */
export class OffsetError extends FarmError {
  constructor(readonly bytes: number) {
    super('WRONG_OFFSET', `${bytes} bytes are there`, `Go on at offset ${bytes}.`);
  }
}

const BLOB_CODES: Readonly<Record<string, FarmErrorCode>> = {
  NOT_FOUND: 'NOT_FOUND',
  WRONG_OFFSET: 'WRONG_OFFSET',
  DIGEST_MISMATCH: 'DIGEST_MISMATCH',
  TOO_LARGE: 'TOO_LARGE',
};

function fromBlobError(error: BlobError): FarmError {
  return new FarmError(BLOB_CODES[error.code] ?? 'UNAVAILABLE', error.message, null, [], { cause: error });
}

function fromHttp(error: HttpException): FarmError {
  const status = error.getStatus();
  const code: FarmErrorCode = status === 404 ? 'NOT_FOUND' : status === 413 ? 'TOO_LARGE' : 'INVALID';
  const body = error.getResponse();
  const message = typeof body === 'object' && 'message' in body ? body.message : body;
  const problems = Array.isArray(message) ? message.map(String) : [];
  return new FarmError(
    status >= 500 ? 'INTERNAL' : code,
    problems.length > 0 ? 'the request is not of the form the API takes' : String(message),
    null,
    problems,
  );
}

/** Errors of express' own body parsers have a `type`. */
function fromBodyParser(error: unknown): FarmError | null {
  const type = error instanceof Error && 'type' in error ? error.type : null;
  if (type === 'entity.too.large') return new FarmError('TOO_LARGE', 'the body is larger than the API takes');
  if (type === 'entity.parse.failed') return new FarmError('INVALID', 'the body is not JSON');
  if (type === 'request.aborted') return new FarmError('INVALID', 'the request ended in the middle');
  return null;
}
