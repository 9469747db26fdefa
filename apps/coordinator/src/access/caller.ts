import { createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { FarmError, roleAtLeast, type Right, type Role, type TokenId } from '#libs/contracts';
import type { AgentRow } from '#libs/store';

/** Who calls the API. */
export interface Caller {
  readonly user: string;
  readonly role: Role;
  readonly rights: readonly Right[];
  readonly token: TokenId;
}

/** A request that a guard has let through. */
export interface KnownRequest extends Request {
  caller?: Caller;
  agent?: AgentRow;
}

const NEEDS = 'distrofarm:needs';
/** The role that a route wants; a controller's routes without one want `viewer`. */
export const Needs = (role: Role) => SetMetadata(NEEDS, role);
Needs.KEY = NEEDS;

const PUBLIC = 'distrofarm:public';
/** A route for everybody who reaches the coordinator. */
export const Public = () => SetMetadata(PUBLIC, true);
Public.KEY = PUBLIC;

const FOR_AGENTS = 'distrofarm:agents';
/** Routes of the agent gateway: an agent's key opens them, and nothing else does. */
export const ForAgents = () => SetMetadata(FOR_AGENTS, true);
ForAgents.KEY = FOR_AGENTS;

/** The caller of a guarded route. */
export const TheCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<KnownRequest>();
  if (caller === undefined) throw new FarmError('NOT_AUTHENTICATED', 'this needs a token');
  return caller;
});

/** The agent that calls a route of the gateway. */
export const TheAgent = createParamDecorator((_: unknown, context: ExecutionContext): AgentRow => {
  const { agent } = context.switchToHttp().getRequest<KnownRequest>();
  if (agent === undefined) throw new FarmError('NOT_AUTHENTICATED', "this needs an agent's key");
  return agent;
});

/** Builds are changed by who submitted them, and by operators. Throws FORBIDDEN. */
export function requireMayChange(
  caller: Caller,
  build: { readonly id: string; readonly user: string },
): void {
  if (roleAtLeast(caller.role, 'operator')) return;
  if (caller.user === build.user && roleAtLeast(caller.role, 'submitter')) return;
  throw new FarmError(
    'FORBIDDEN',
    `build ${build.id} is ${build.user}'s, and ${caller.user} is a ${caller.role}`,
    'Its submitter or an operator can do that.',
  );
}
