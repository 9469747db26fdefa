import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ArtifactList, FarmError, RelativePath } from '#libs/contracts';
import { BlobStore, formatSha256Sums } from '#libs/artifacts';
import { artifactsOfBuild, findArtifact } from '#libs/store';
import type { z } from 'zod';
import { BuildViews } from '../builds/build-views.js';
import { Store } from '../store.js';
import { sendBlob } from './send-blob.js';

@ApiTags('artifacts')
@ApiBearerAuth()
@Controller('api/v1/builds/:build')
export class ArtifactsController {
  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly views: BuildViews,
  ) {}

  @Get('artifacts')
  @ApiOkResponse({ standardSchema: ArtifactList })
  async list(@Param('build') reference: string): Promise<z.infer<typeof ArtifactList>> {
    const build = await this.views.resolve(reference);
    return { artifacts: [...(await artifactsOfBuild(this.store.db, build.id))] };
  }

  /** For `sha256sum -c`, beside the downloaded files: `<variant>/<name>` where the build has several variants, else `<name>`. */
  @Get('SHA256SUMS')
  async sums(@Param('build') reference: string, @Res() response: Response): Promise<void> {
    const build = await this.views.resolve(reference);
    const artifacts = await artifactsOfBuild(this.store.db, build.id);
    const several = new Set(artifacts.map(({ variant }) => variant)).size > 1;
    const files = artifacts.map(({ variant, name, sha256 }) => ({
      name: several ? `${variant}/${name}` : name,
      sha256,
    }));
    response.type('text/plain').send(formatSha256Sums(files));
  }

  @Get('artifacts/:variant/*path')
  async download(
    @Param('build') reference: string,
    @Param('variant') variant: string,
    @Param('path') path: string | readonly string[],
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const build = await this.views.resolve(reference);
    const name = RelativePath.safeParse(typeof path === 'string' ? path : path.join('/'));
    const artifact = name.success ? await findArtifact(this.store.db, build.id, variant, name.data) : null;
    if (artifact === null) {
      throw new FarmError(
        'NOT_FOUND',
        `variant "${variant}" of build ${build.id} has no artifact of that name`,
        `distrofarm artifacts list ${build.id}`,
      );
    }
    if (!artifact.available) {
      throw new FarmError(
        'NOT_FOUND',
        `artifact ${artifact.name} of build ${build.id} was removed by retention`,
      );
    }
    await sendBlob(this.blobs, artifact, request, response, {
      'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(artifact.name.split('/').at(-1) ?? '')}`,
    });
  }
}
