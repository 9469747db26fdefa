import type { Manifest, ManifestStep } from '#libs/manifest';
import type { Checkpoint } from './checkpoint.js';
import { encodeFacts, factsAt } from './boundary-facts.js';
import type { Boundary, Plan } from './plan.js';
import { planBuild } from './plan-build.js';

/** For specs: a plan from step names; `lane:name` puts a step in a lane, `lane:name>path` declares an output. */
export function planOf(steps: readonly string[], change: Partial<PlanChange> = {}): Plan {
  const parsed = steps.map(parseStep);
  const text = change.text ?? `<manifest>${steps.join(' ')}</manifest>`;
  const scripts = parsed.map(({ name }) => ({
    path: `/scripts/${name}`,
    digest: change.scripts?.[name] ?? `digest of ${name}`,
    reads: null,
    environment: [],
  }));
  const { everyEnd = false } = change;
  return planBuild(manifestOf(parsed, change.content ?? 'content'), text, scripts, { everyEnd });
}

interface PlanChange {
  readonly everyEnd: boolean;
  readonly text: string;
  readonly content: string;
  readonly scripts: Readonly<Record<string, string>>;
}

function parseStep(text: string, index: number): ManifestStep {
  const [place = '', ...outputs] = text.split('>');
  const [lane, name] = place.includes(':') ? place.split(':') : ['main', place];
  return {
    index,
    name: name ?? '',
    message: `Run ${name ?? ''}`,
    script: `/scripts/${name ?? ''}`,
    args: [],
    lane: lane ?? 'main',
    outputs,
    reads: null,
    fingerprint: null,
    requires: { labels: [], tools: [], freeBytes: 0 },
    timeoutSeconds: null,
    silenceSeconds: null,
    line: index + 1,
    includedFrom: null,
  };
}

function manifestOf(steps: readonly ManifestStep[], content: string): Manifest {
  return {
    file: 'test.xml',
    name: 'Test',
    buildArea: 'tank/dc',
    stopOnError: true,
    checkpointing: true,
    resumeFrom: null,
    maxImageBytes: null,
    replicas: null,
    waitsForReplicas: false,
    steps,
    variants: [],
    axes: [],
    includes: [],
    root: {
      name: 'distribution',
      attributes: new Map(),
      children: [],
      text: content,
      line: 1,
      includedFrom: null,
    },
    notes: [],
  };
}

/** For specs: the checkpoints a build of `plan` leaves when it took those of the first `count` boundaries. */
export function checkpointsOf(
  plan: Plan,
  count = plan.boundaries.length,
  build = 'b1',
): readonly Checkpoint[] {
  return plan.boundaries
    .slice(0, count)
    .map((boundary, index) => checkpointAt(plan, boundary, build, idOf(build, index - 1)));
}

function checkpointAt(plan: Plan, boundary: Boundary, build: string, previous: string): Checkpoint {
  return {
    id: idOf(build, boundary.index),
    workspace: boundary.workspace,
    label: boundary.label,
    facts: encodeFacts(factsAt(boundary, previous, plan.digests, build, new Date(0))),
  };
}

function idOf(build: string, index: number): string {
  return index < 0 ? '' : `${build}-${index}`;
}
