import { execa } from 'execa';

export interface NetworkOptions {
  /** Host 0 is the namespace that this process is in, which should be one of its own: its servers and clients are then on the network. */
  readonly hubIsHere?: boolean;
}

/**
 * Hosts on this machine: network namespaces with an address each, on one bridge in the first of them, and no way out. Needs root and ip(8).
 */
export class TestNetwork {
  private constructor(
    private readonly prefix: string,
    private readonly hubIsHere: boolean,
  ) {}

  /** @param hosts how many beside host 0, which has the bridge */
  static async open(hosts: number, { hubIsHere = false }: NetworkOptions = {}): Promise<TestNetwork> {
    const network = new TestNetwork(`df${process.pid}`, hubIsHere);
    try {
      if (!hubIsHere) await ip('netns', 'add', network.#host(0));
      await network.#ipIn(0, 'link', 'add', 'bridge', 'type', 'bridge');
      await network.#ipIn(0, 'address', 'add', `${network.address(0)}/24`, 'dev', 'bridge');
      for (const link of ['lo', 'bridge']) await network.#ipIn(0, 'link', 'set', link, 'up');
      for (let host = 1; host <= hosts; host += 1) await network.#addHost(host);
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  address(host: number): string {
    return `10.213.0.${host + 1}`;
  }

  /** The command as it runs on that host. Mounts are those of this process, and of one another. */
  on(host: number, ...argv: readonly string[]): readonly string[] {
    return this.#isHere(host) ? argv : ['nsenter', `--net=/run/netns/${this.#host(host)}`, '--', ...argv];
  }

  /**
   * From now on a connection between two hosts ends at the hub, at a socket that is bound to the address of the host that was called. Connections of the hub's own go
   * where they say.
   */
  async meetAtHub(hosts: number): Promise<void> {
    // The addresses are the hub's own, too; but what it sends there itself goes out.
    await this.#ipIn(0, 'rule', 'add', 'pref', '2', 'lookup', 'local');
    await this.#ipIn(0, 'rule', 'delete', 'pref', '0');
    await this.#ipIn(0, 'rule', 'add', 'pref', '1', 'iif', 'lo', 'lookup', MEETING);
    for (let host = 1; host <= hosts; host += 1) {
      const [address, own] = [this.address(host), this.address(0)];
      await this.#ipIn(0, 'route', 'add', address, 'dev', 'bridge', 'src', own, 'table', MEETING);
      await this.#ipIn(0, 'address', 'add', `${address}/32`, 'dev', 'bridge');
      for (let other = 1; other <= hosts; other += 1) {
        const towards = [`${this.address(other)}/32`, 'via', this.address(0)];
        if (other !== host) await this.#ipIn(host, 'route', 'add', ...towards);
      }
    }
  }

  /** Nothing gets through any more, and neither side is told. */
  async cut(host: number): Promise<void> {
    await this.#ipIn(0, 'link', 'set', `to${host}`, 'nomaster');
  }

  async mend(host: number): Promise<void> {
    await this.#ipIn(0, 'link', 'set', `to${host}`, 'master', 'bridge');
  }

  async close(): Promise<void> {
    const { stdout } = await ip('netns', 'list');
    const own = stdout.split('\n').flatMap((line) => line.split(' ').slice(0, 1));
    for (const name of own.filter((each) => each.startsWith(`${this.prefix}h`)))
      await ip('netns', 'delete', name);
    if (!this.hubIsHere) return;
    await execa('ip', ['link', 'delete', 'bridge'], { reject: false });
    // As they were before `meetAtHub`: another network may come.
    await execa('ip', ['rule', 'add', 'pref', '0', 'lookup', 'local'], { reject: false });
    for (const pref of ['1', '2']) await execa('ip', ['rule', 'delete', 'pref', pref], { reject: false });
  }

  async #addHost(host: number): Promise<void> {
    await ip('netns', 'add', this.#host(host));
    const peer = ['peer', 'name', 'uplink', 'netns', this.#host(host)];
    await this.#ipIn(0, 'link', 'add', `to${host}`, 'type', 'veth', ...peer);
    await this.mend(host);
    await this.#ipIn(0, 'link', 'set', `to${host}`, 'up');
    await this.#ipIn(host, 'address', 'add', `${this.address(host)}/24`, 'dev', 'uplink');
    for (const link of ['lo', 'uplink']) await this.#ipIn(host, 'link', 'set', link, 'up');
  }

  async #ipIn(host: number, ...args: readonly string[]): Promise<void> {
    await ip(...(this.#isHere(host) ? [] : ['-netns', this.#host(host)]), ...args);
  }

  #isHere(host: number): boolean {
    return this.hubIsHere && host === 0;
  }

  #host(host: number): string {
    return `${this.prefix}h${host}`;
  }
}

/** A routing table of the hub's. */
const MEETING = '101';

async function ip(...args: readonly string[]) {
  return await execa('ip', [...args]);
}
