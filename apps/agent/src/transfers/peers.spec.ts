import { describe, expect, it } from '@jest/globals';
import { Unreachable } from '#libs/http-client';
import { makePeerCa, PeerCa } from '#libs/tls';
import { pino } from 'pino';
import type { AreaDesk } from '../areas/area-desk.js';
import { ConfigError, type PeerListen } from '../config.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { LateCopies } from '../replicas/late-copies.js';
import { Peers } from './peers.js';

async function peersOn(listen: PeerListen, coordinatorUrl = 'unix:/run/c.sock'): Promise<Peers> {
  const ca = PeerCa.parse(await makePeerCa(Date.now()));
  const link = {
    peerCertificate: async ({ publicKey }: { publicKey: string }) => ({
      ...(await ca.issue('a-1', publicKey, Date.now())),
      ca: ca.certificate,
    }),
  } as unknown as CoordinatorLink;
  return new Peers({
    link,
    desk: {} as AreaDesk,
    lateCopies: new LateCopies(),
    listen,
    coordinatorUrl,
    log: pino({ level: 'silent' }),
  });
}

const never = new AbortController().signal;

describe('where other agents reach this one', () => {
  it('is on this machine where the coordinator is', async () => {
    const peers = await peersOn({ kind: 'auto' });
    expect(await peers.start(never)).toEqual({ host: '127.0.0.1', port: expect.any(Number) });
    await peers.stop();
  });

  it('is nowhere when it is not to be', async () => {
    expect(await (await peersOn({ kind: 'off' })).start(never)).toBeNull();
  });

  it('names the setting when it is no address of this host', async () => {
    const peers = await peersOn({ kind: 'address', host: '192.0.2.1', port: 7456 });
    const failure = await peers.start(never).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect((failure as ConfigError).message).toMatch(
      /^DISTROFARM_AGENT_PEER_LISTEN: cannot listen on 192\.0\.2\.1:7456: .*EADDRNOTAVAIL/,
    );
  });

  it('is asked for again when the coordinator is away just then', async () => {
    const peers = await peersOn({ kind: 'auto' }, 'http://127.0.0.1:1');
    await expect(peers.start(never)).rejects.toThrow(Unreachable);
  });
});
