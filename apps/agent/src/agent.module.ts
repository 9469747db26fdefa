import { HttpClient } from '#libs/http-client';
import {
  Areas,
  BtrfsAreas,
  DirectoryAreas,
  isBtrfsFolder,
  ZfsAreas,
  ZfsCommand,
  type DatasetName,
} from '#libs/snapshots';
import { Module, type DynamicModule } from '@nestjs/common';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Agent } from './agent.js';
import { AreaDesk } from './areas/area-desk.js';
import { AreaSizes } from './areas/area-sizes.js';
import { BlobCache } from './blobs/blob-cache.js';
import { Bundles } from './attempts/bundles.js';
import type { AgentConfig, StorePlace } from './config.js';
import { CoordinatorLink } from './link/coordinator-link.js';
import { fixedFacts } from './host/host-facts.js';
import type { Identity } from './host/identity.js';
import { LateCopies } from './replicas/late-copies.js';
import { MEDIA_FOLDER } from './attempts/run-assignment.js';
import { INSTALL_ROOT, VERSION } from './host/install.js';
import { Peers } from './transfers/peers.js';

/** Folders of a workspace: as distro_const has them, and the media. */
const LAYOUT = ['pkg_image', 'boot_archive', 'tmp', MEDIA_FOLDER];

/** All parts of the agent's process, on one page. */
@Module({})
export class AgentModule {
  static for(config: AgentConfig, identity: Identity, log: Logger): DynamicModule {
    const { stateFolder } = config;
    return {
      module: AgentModule,
      providers: [
        {
          provide: HttpClient,
          useFactory: () =>
            new HttpClient({
              url: config.coordinator ?? identity.coordinator,
              secret: identity.key,
              ca: identity.ca,
            }),
        },
        {
          provide: CoordinatorLink,
          useFactory: (http: HttpClient) => new CoordinatorLink(http),
          inject: [HttpClient],
        },
        { provide: Areas, useFactory: async () => openAreas(config.store, log) },
        { provide: AreaSizes, useFactory: (areas: Areas) => new AreaSizes(areas, log), inject: [Areas] },
        {
          provide: AreaDesk,
          useFactory: (areas: Areas, sizes: AreaSizes) =>
            new AreaDesk(areas, log, (area) => sizes.changed(area)),
          inject: [Areas, AreaSizes],
        },
        { provide: LateCopies, useFactory: () => new LateCopies() },
        {
          provide: BlobCache,
          useFactory: () => new BlobCache(join(stateFolder, 'blobs'), config.blobCacheBytes),
        },
        {
          provide: Peers,
          useFactory: (link: CoordinatorLink, desk: AreaDesk, lateCopies: LateCopies) =>
            new Peers({
              link,
              desk,
              lateCopies,
              listen: config.peerListen,
              coordinatorUrl: config.coordinator ?? identity.coordinator,
              log,
            }),
          inject: [CoordinatorLink, AreaDesk, LateCopies],
        },
        { provide: Bundles, useFactory: () => new Bundles(join(stateFolder, 'bundles')) },
        {
          provide: Agent,
          useFactory: (
            link: CoordinatorLink,
            areas: Areas,
            desk: AreaDesk,
            sizes: AreaSizes,
            lateCopies: LateCopies,
            blobs: BlobCache,
            bundles: Bundles,
            peers: Peers,
          ) =>
            new Agent({
              link,
              areas,
              desk,
              sizes,
              lateCopies,
              blobs,
              bundles,
              peers,
              stateFolder,
              cacheFolder: config.cacheFolder,
              binFolder: join(INSTALL_ROOT, 'bin'),
              slots: config.slots,
              leaveMs: config.leaveSeconds * 1000,
              environment: config.environment,
              facts: async () => await fixedFacts(config, areas, VERSION),
              log,
            }),
          inject: [CoordinatorLink, Areas, AreaDesk, AreaSizes, LateCopies, BlobCache, Bundles, Peers],
        },
      ],
    };
  }
}

/** The agent's store, ready to use. Throws SnapshotStoreError. */
export async function openAreas(place: StorePlace, log: Logger): Promise<Areas> {
  const areas = place.kind === 'folder' ? await folderAreas(place.path) : zfsAreas(place.dataset, log);
  await areas.prepare();
  return areas;
}

async function folderAreas(root: string): Promise<Areas> {
  const options = { root, layout: LAYOUT };
  return (await isBtrfsFolder(root)) ? new BtrfsAreas(options) : new DirectoryAreas(options);
}

function zfsAreas(root: DatasetName, log: Logger): Areas {
  const zfs = new ZfsCommand(({ argv, durationMs, exitStatus }) =>
    log.debug({ argv, durationMs, exitStatus }, 'zfs'),
  );
  return new ZfsAreas({ root, layout: LAYOUT, zfs });
}
