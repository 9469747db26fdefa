import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { FarmError, roleAtLeast, SECRET_PREFIX, type Role } from '#libs/contracts';
import { findAgentByKeyHash, findTokenByHash, hashSecret, touchToken, type TokenRow } from '#libs/store';
import { Clock, Store } from '../store.js';
import { ForAgents, Needs, Public, type KnownRequest } from './caller.js';
import { RequestLimit } from './request-limit.js';

/** Lets a request through when its secret says who it is and that one may do it. Every route passes here. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly limit: RequestLimit,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<KnownRequest>();
    const places = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(Public.KEY, places) === true) return true;
    const secret = bearerOf(request);
    if (this.reflector.getAllAndOverride<boolean | undefined>(ForAgents.KEY, places) === true) {
      request.agent = await this.#agent(request, secret);
      return true;
    }
    const token = await this.#token(request, secret);
    this.limit.count(`token ${token.id}`);
    const wanted = this.reflector.getAllAndOverride<Role | undefined>(Needs.KEY, places) ?? 'viewer';
    if (!roleAtLeast(token.role, wanted)) {
      throw new FarmError(
        'FORBIDDEN',
        `${token.user} is a ${token.role}, and this needs a ${wanted}`,
        'An admin can make you a token with that role.',
      );
    }
    request.caller = { user: token.user, role: token.role, rights: token.rights, token: token.id };
    return true;
  }

  async #token(request: KnownRequest, secret: string): Promise<TokenRow> {
    const found = secret.startsWith(SECRET_PREFIX.user)
      ? await findTokenByHash(this.store.db, hashSecret(secret), this.clock.now())
      : ({ kind: 'unknown' } as const);
    if (found.kind === 'valid') {
      await touchToken(this.store.db, found.token, this.clock.now());
      return found.token;
    }
    this.limit.countFailure(request.ip ?? 'socket');
    throw new FarmError(
      'NOT_AUTHENTICATED',
      found.kind === 'unknown' ? 'the token is not known here' : `the token is ${found.kind}`,
      'Log in with another one: distrofarm login URL',
    );
  }

  async #agent(request: KnownRequest, secret: string): Promise<NonNullable<KnownRequest['agent']>> {
    const agent = secret.startsWith(SECRET_PREFIX.agent)
      ? await findAgentByKeyHash(this.store.db, hashSecret(secret))
      : null;
    if (agent !== null && agent.revokedAt === null) return agent;
    this.limit.countFailure(request.ip ?? 'socket');
    throw new FarmError(
      'NOT_AUTHENTICATED',
      agent === null ? "the agent's key is not known here" : `agent ${agent.name} was revoked`,
      'Enrol it anew: distrofarm agents enrol',
    );
  }
}

function bearerOf(request: KnownRequest): string {
  const header = request.headers.authorization ?? '';
  const match = /^Bearer ([A-Za-z0-9_-]{20,200})$/.exec(header);
  if (match?.[1] !== undefined) return match[1];
  throw new FarmError(
    'NOT_AUTHENTICATED',
    header === '' ? 'this needs a token' : 'the Authorization header is not of the form "Bearer TOKEN"',
    'Log in first: distrofarm login URL',
  );
}
