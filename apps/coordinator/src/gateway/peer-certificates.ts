import { Injectable } from '@nestjs/common';
import { FarmError, type AskPeerCertificate, type PeerCertificate } from '#libs/contracts';
import { readMeta, setMetaOnce, type AgentRow } from '#libs/store';
import { makePeerCa, PeerCa } from '#libs/tls';
import { Clock, Store } from '../store.js';

/** In the database, since all coordinators of a farm need the same. */
const META_KEY = 'peer-ca';

/** Makes agents known to each other. */
@Injectable()
export class PeerCertificates {
  #ca: Promise<PeerCa> | null = null;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  async issue(agent: AgentRow, { publicKey }: AskPeerCertificate): Promise<PeerCertificate> {
    this.#ca ??= this.#open().catch((error: unknown) => {
      this.#ca = null;
      throw error;
    });
    const ca = await this.#ca;
    try {
      return { ...(await ca.issue(agent.id, publicKey, this.clock.now())), ca: ca.certificate };
    } catch (error) {
      if (error instanceof RangeError) throw new FarmError('INVALID', error.message);
      throw error;
    }
  }

  async #open(): Promise<PeerCa> {
    const { db } = this.store;
    const kept = await readMeta(db, META_KEY);
    return PeerCa.parse(kept ?? (await setMetaOnce(db, META_KEY, await makePeerCa(this.clock.now()))));
  }
}
