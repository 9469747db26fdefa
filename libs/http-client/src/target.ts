import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** Where a client's calls go: the fixed part of each request. */
export interface Target {
  /** For people. */
  readonly where: string;
  /** In front of each path; empty, or `/` with something and no `/` at the end. */
  readonly basePath: string;
  readonly agent: HttpAgent;
  readonly options: RequestOptions;
  readonly request: typeof httpRequest;
}

const KEEP_ALIVE = { keepAlive: true, keepAliveMsecs: 30_000 } as const;

/** `url`: `http://…`, `https://…` or `unix:/path/to.sock`. Throws a TypeError for anything else. */
export function targetOf(url: string, ca: string | null): Target {
  if (url.startsWith('unix:')) return socketTarget(url.slice('unix:'.length));
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new TypeError(`expected an address with http://, https:// or unix:, got "${url}"`);
  }
  const { protocol, hostname, port, pathname, username, origin } = new URL(url);
  if (username !== '') throw new TypeError('expected an address without a user name or password');
  const secure = protocol === 'https:';
  return {
    where: origin,
    basePath: pathname.replace(/\/+$/, ''),
    agent: secure
      ? new HttpsAgent({ ...KEEP_ALIVE, ...(ca === null ? {} : { ca }) })
      : new HttpAgent(KEEP_ALIVE),
    options: { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? null : port },
    request: secure ? httpsRequest : httpRequest,
  };
}

function socketTarget(socketPath: string): Target {
  if (!socketPath.startsWith('/')) {
    throw new TypeError(`expected an absolute path after "unix:", got "${socketPath}"`);
  }
  return {
    where: `unix:${socketPath}`,
    basePath: '',
    agent: new HttpAgent(KEEP_ALIVE),
    options: { socketPath },
    request: httpRequest,
  };
}
