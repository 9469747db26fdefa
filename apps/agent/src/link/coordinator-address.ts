import { isIP } from 'node:net';

/**
 * What is wrong with a coordinator's address; `null` when nothing is. An agent's key and all that it builds pass over the connection, so beyond this host it is
 * encrypted.
 */
export function addressProblem(address: string): string | null {
  if (/^unix:\//.test(address)) return null;
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return `${JSON.stringify(address)} is no address; expected https://host[:port]`;
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return `${address} would send the agent's key over the network as it is; use https://, or http:// to this host only`;
  }
  return null;
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}
