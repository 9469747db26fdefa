import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { CliError } from '../cli-error.js';
import { EXIT } from '../exit-codes.js';

/** Where the coordinator of `distrofarm up` is reached. Beyond this machine it speaks TLS, with a certificate of the farm's own authority. */
export interface FarmAddress {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** From this machine. */
  readonly url: string;
  /** From others; the same where there is no way from others. */
  readonly publicUrl: string;
}

/** Throws a CliError. */
export function parseListen(text: string): FarmAddress {
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port === 0 || port > 65_535) {
    throw new CliError(
      EXIT.usage,
      `--listen: "${text}" is no address to listen on`,
      'It looks like 127.0.0.1:7455, 0.0.0.0:7455 or [::1]:7455',
    );
  }
  const host = match[1] ?? match[2] ?? '';
  const secure = !/^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(host);
  const everywhere = /^(0\.0\.0\.0|::)$/.test(host);
  const scheme = secure ? 'https' : 'http';
  const urlOf = (name: string): string => `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}`;
  return {
    host,
    port,
    secure,
    url: urlOf(everywhere ? '127.0.0.1' : host),
    publicUrl: urlOf(everywhere ? hostname() : host),
  };
}

/** Throws a CliError, with what to do, where the coordinator could not listen. */
export async function refuseTakenPort({ host, port }: FarmAddress): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
  if (error === null) return;
  if (error.code === 'EADDRINUSE') {
    throw new CliError(
      EXIT.config,
      `something listens on ${host}:${port} already`,
      `See what it is with: ss -ltnp "sport = :${port}"\nOr choose another port: distrofarm up --listen 127.0.0.1:${port === 65_535 ? port - 1 : port + 1}`,
    );
  }
  throw new CliError(EXIT.config, `nothing can listen on ${host}:${port}: ${error.message}`, null, [], {
    cause: error,
  });
}
