import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import {
  AddScripts,
  AuditPage,
  CreatedToken,
  CreateToken,
  FarmError,
  ScriptCatalogue,
  Sha256,
  Token,
  TokenId,
  TokenList,
} from '#libs/contracts';
import {
  addScripts,
  appendAudit,
  createToken,
  listScripts,
  listTokens,
  readAudit,
  removeScript,
  revokeToken,
  type NewAudit,
} from '#libs/store';
import { Needs, TheCaller, type Caller } from '../access/caller.js';
import { Store } from '../store.js';
import { Work } from '../work.js';

const AUDIT_PAGE = 100;

/** Who may do what, with which scripts, and who has done what. */
@ApiTags('access')
@ApiBearerAuth()
@Controller('api/v1')
export class AccessController {
  constructor(
    private readonly store: Store,
    private readonly work: Work,
  ) {}

  @Get('tokens')
  @Needs('admin')
  @ApiOkResponse({ standardSchema: TokenList })
  async tokens(): Promise<z.infer<typeof TokenList>> {
    return { tokens: [...(await listTokens(this.store.db))] };
  }

  @Post('tokens')
  @Needs('admin')
  @ApiOkResponse({ standardSchema: CreatedToken })
  async createToken(
    @Body({ schema: CreateToken })
    { user, role, rights, note, expiresInSeconds }: z.output<typeof CreateToken>,
    @TheCaller() caller: Caller,
  ): Promise<CreatedToken> {
    return await this.work.change(async (tx, _, now) => {
      const expiresAt = expiresInSeconds === null ? null : now + expiresInSeconds * 1000;
      const created = await createToken(tx, { user, role, rights, note, expiresAt }, now);
      const data = { user, role, rights };
      await appendAudit(tx, now, entry(caller, 'token.create', created.token.id, note, data));
      return created;
    });
  }

  @Delete('tokens/:token')
  @HttpCode(200)
  @Needs('admin')
  @ApiOkResponse({ standardSchema: Token })
  async revokeToken(
    @Param('token', { schema: TokenId }) id: TokenId,
    @TheCaller() caller: Caller,
  ): Promise<Token> {
    return await this.work.change(async (tx, _, now) => {
      const token = await revokeToken(tx, id, now);
      if (token === null) throw new FarmError('NOT_FOUND', `there is no token ${id}`);
      await appendAudit(tx, now, entry(caller, 'token.revoke', id, '', { user: token.user }));
      return token;
    });
  }

  @Get('scripts')
  @ApiOkResponse({ standardSchema: ScriptCatalogue })
  async scripts(): Promise<z.infer<typeof ScriptCatalogue>> {
    return { scripts: [...(await listScripts(this.store.db))] };
  }

  @Post('scripts')
  @HttpCode(200)
  @Needs('admin')
  @ApiOkResponse({ standardSchema: ScriptCatalogue })
  async addScripts(
    @Body({ schema: AddScripts }) { scripts }: z.output<typeof AddScripts>,
    @TheCaller() caller: Caller,
  ): Promise<z.infer<typeof ScriptCatalogue>> {
    await this.work.change(async (tx, _, now) => {
      await addScripts(tx, scripts, caller.user, now);
      for (const { sha256, name, note } of scripts)
        await appendAudit(tx, now, entry(caller, 'script.add', sha256, note, { name }));
    });
    return await this.scripts();
  }

  @Delete('scripts/:sha256')
  @HttpCode(200)
  @Needs('admin')
  @ApiOkResponse({ standardSchema: ScriptCatalogue })
  async removeScript(
    @Param('sha256', { schema: Sha256 }) sha256: Sha256,
    @TheCaller() caller: Caller,
  ): Promise<z.infer<typeof ScriptCatalogue>> {
    await this.work.change(async (tx, _, now) => {
      if (!(await removeScript(tx, sha256)))
        throw new FarmError('NOT_FOUND', `no script ${sha256} is catalogued`);
      await appendAudit(tx, now, entry(caller, 'script.remove', sha256, ''));
    });
    return await this.scripts();
  }

  /** Newest first. */
  @Get('audit')
  @Needs('admin')
  @ApiOkResponse({ standardSchema: AuditPage })
  async audit(
    @Query('before') before: string | undefined,
    @Query('limit') limit: string | undefined,
  ): Promise<z.infer<typeof AuditPage>> {
    const most = Math.min(1000, numberOf('limit', limit) ?? AUDIT_PAGE);
    const entries = await readAudit(this.store.db, { before: numberOf('before', before), limit: most });
    const last = entries.at(-1)?.seq ?? 1;
    return { entries: [...entries], next: entries.length === most && last > 1 ? last : null };
  }
}

function entry(
  caller: Caller,
  action: string,
  target: string,
  why: string,
  data: NonNullable<NewAudit['data']> = {},
): NewAudit {
  return { user: caller.user, tokenId: caller.token, action, target, why, data };
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new FarmError('INVALID', `${name}: found "${text}"; expected a number from 1`);
}
