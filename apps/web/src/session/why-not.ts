import type { BuildSummary, Role, WhoAmI } from '#libs/contracts';

/** As `Role` of libs/contracts has them: each may do what those before it may. A new role does not compile here until it has its place. */
const RANK: Readonly<Record<Role, number>> = { viewer: 0, submitter: 1, operator: 2, admin: 3 };

/** Why whoever is signed in may not do what needs that role; `null` when they may. */
export function whyNot(me: WhoAmI, needed: Role): string | null {
  if (RANK[me.role] >= RANK[needed]) return null;
  return `${me.user} is ${article(me.role)}; this needs ${article(needed)}`;
}

/** Builds are changed by who submitted them, and by operators. */
export function whyNotChange(me: WhoAmI, build: Pick<BuildSummary, 'user'>): string | null {
  if (whyNot(me, 'operator') === null) return null;
  if (me.user === build.user && whyNot(me, 'submitter') === null) return null;
  return `this build is ${build.user}'s; its submitter or an operator can do that`;
}

function article(role: Role): string {
  return /^[aeiou]/.test(role) ? `an ${role}` : `a ${role}`;
}
