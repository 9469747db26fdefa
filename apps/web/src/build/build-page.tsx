import { Link } from 'wouter';
import type { BuildDetail } from '#libs/contracts';
import { describeStandings, headOf, type WatchModel } from '#libs/watch';
import { Answer } from '../kit/answer.js';
import { ClockTime, DateTime, Elapsed } from '../kit/moments.js';
import { PageHead } from '../kit/page-head.js';
import { Progress } from '../kit/progress.js';
import { StateMark } from '../kit/state-mark.js';
import { pathOf } from '../session/farm-api.js';
import { ArtifactsView } from './artifacts-view.js';
import { BuildActions } from './build-actions.js';
import { StepsView } from './steps-view.js';
import { TimelineView } from './timeline-view.js';
import { useBuild } from './use-build.js';
import { useWatchModel } from './use-watch-model.js';

export type BuildView = 'steps' | 'timeline' | 'artifacts';

const VIEWS: readonly { readonly view: BuildView; readonly name: string; readonly below: string }[] = [
  { view: 'steps', name: 'Steps', below: '' },
  { view: 'timeline', name: 'Timeline', below: '/timeline' },
  { view: 'artifacts', name: 'Artifacts', below: '/artifacts' },
];

interface BuildPageProps {
  /** Its id, the start of one that only it has, or `latest`. */
  readonly build: string;
  readonly view: BuildView;
}

export function BuildPage({ build, view }: BuildPageProps) {
  const path = pathOf`/builds/${build}`;
  const answer = useBuild(path);
  return (
    <Answer of={answer} what={`build ${build}`}>
      {(detail) => <KnownBuild key={detail.id} build={detail} path={path} view={view} />}
    </Answer>
  );
}

interface KnownBuildProps {
  readonly build: BuildDetail;
  readonly path: string;
  readonly view: BuildView;
}

function KnownBuild({ build, path, view }: KnownBuildProps) {
  const model = useWatchModel(build);
  const json = view === 'artifacts' ? `${path}/artifacts` : path;
  return (
    <div className="build">
      <PageHead
        title={build.name}
        json={json}
        aside={<code className="id">{build.id}</code>}
        actions={<BuildActions build={model.build} path={path} />}
      />
      <Facts model={model} />
      <nav className="tabs" aria-label="Views of the build">
        {VIEWS.map(({ view: each, name, below }) => (
          <Link
            key={each}
            href={`/builds/${build.id}${below}`}
            aria-current={each === view ? 'page' : undefined}
          >
            {name}
          </Link>
        ))}
      </nav>
      {view === 'steps' && <StepsView model={model} path={path} />}
      {view === 'timeline' && <TimelineView build={model.build} />}
      {view === 'artifacts' && <ArtifactsView build={model.build} />}
    </div>
  );
}

function Facts({ model }: { readonly model: WatchModel }) {
  const { build } = model;
  const { wish, variants, warning, since, endedAt, steps } = headOf(model);
  return (
    <>
      <div className="facts">
        <StateMark state={build.state} more={wish === null ? undefined : `${wish} asked for`} />
        <Progress done={steps.done} total={steps.total} state={build.state} />
        {build.startedAt !== null && <Elapsed since={since} until={endedAt} />}
        <span className="more">
          by {build.user}, {build.priority} priority, submitted <DateTime at={build.createdAt} />
        </span>
        {build.note !== '' && <span className="note">{build.note}</span>}
      </div>
      <p className="summary">
        {build.summary === build.state ? '' : build.summary}
        {variants.length > 1 && <span className="more"> {describeStandings(variants)}</span>}
        {build.pauseBefore !== null && <span className="more"> Pauses before {build.pauseBefore}.</span>}
      </p>
      {warning !== null && (
        <p className="notice" role="status">
          <ClockTime at={warning.at} /> {warning.text}
        </p>
      )}
    </>
  );
}
