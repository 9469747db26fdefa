/**
 * Loaded into a coordinator's process in front of its program (`node --import`): kills it before and after each kind of change is in the database. It goes around the
 * coordinator's own method for that.
 */
import 'reflect-metadata';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Changes, Work } from '../../apps/coordinator/src/work.js';
import { around } from './around.js';
import { KillPoints } from './kill-points.js';

const { CHAOS_KILL_POINTS: folder = '', CHAOS_BUILT: built = '' } = process.env;
const points = new KillPoints(folder);

const path = join(built, 'dist/apps/coordinator/src/work.js');
const { Work: Works } = (await import(pathToFileURL(path).href)) as {
  readonly Work: { readonly prototype: Work };
};

function reach(moment: string, { events }: Changes): void {
  for (const { type, build = null, job = null, attempt = null } of events)
    points.reach('coordinator', { moment, at: type }, { build, job, attempt });
}

around(Works.prototype, 'change', async (change, _, work) => {
  const made: Changes[] = [];
  const result = await change(async (tx, changes, now) => {
    const done = await work(tx, changes, now);
    reach('change made, not committed', changes);
    made.push(changes);
    return done;
  });
  for (const changes of made) reach('change committed, nobody told', changes);
  return result;
});
