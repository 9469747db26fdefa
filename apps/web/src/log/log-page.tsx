import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { Link, useSearch } from 'wouter';
import type { BuildDetail, JobView } from '#libs/contracts';
import { describeEnd, formatBytes, jobLabels } from '#libs/watch';
import { useBuild } from '../build/use-build.js';
import { useDownload } from '../build/use-download.js';
import { Failure } from '../kit/failure.js';
import { PageHead } from '../kit/page-head.js';
import { StateMark } from '../kit/state-mark.js';
import { pathOf } from '../session/farm-api.js';
import { useSession } from '../session/session.js';
import { showControls } from '../session/visible-text.js';
import { AttemptLog, type LogView } from './attempt-log.js';
import { LogList } from './log-list.js';
import { LogPosition } from './log-position.js';
import { LogSearch } from './log-search.js';

interface LogPageProps {
  readonly build: string;
  readonly attempt: string;
}

/** The log of one attempt; `?at=` in the address is the line that is looked at. */
export function LogPage({ build, attempt }: LogPageProps) {
  const path = pathOf`/builds/${build}`;
  const detail = useBuild(path);
  const { api } = useSession();
  const asked = atOf(useSearch());
  const [log, setLog] = useState<AttemptLog | null>(null);
  useEffect(() => {
    const opened = new AttemptLog(api, attempt);
    setLog(opened);
    void (asked === null ? opened.follow() : opened.jump(asked));
    return () => opened.close();
    // The address changes with the line that is looked at; the log is opened once.
  }, [api, attempt]);
  return (
    <div className="log-page">
      <Head build={build} attempt={attempt} path={path} detail={detail.data} />
      {detail.isError && detail.data === undefined && <Failure error={detail.error} />}
      {log !== null && <KnownLog key={attempt} log={log} attempt={attempt} asked={asked} />}
    </div>
  );
}

/** The offset in the address; `null` where it has none. */
function atOf(search: string): number | null {
  const text = new URLSearchParams(search).get('at') ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

interface HeadProps {
  readonly build: string;
  readonly attempt: string;
  readonly path: string;
  readonly detail: BuildDetail | undefined;
}

function Head({ build, attempt: id, path, detail }: HeadProps) {
  const { download, progress, failure } = useDownload();
  const job = detail?.jobs.find(({ attempts }) => attempts.some((attempt) => attempt.id === id));
  const attempt = job?.attempts.find((each) => each.id === id);
  const label = job === undefined || detail === undefined ? '' : (jobLabels(detail).get(job.id) ?? job.lane);
  const title = attempt === undefined ? `Log of ${id}` : `Log of ${label}, attempt ${attempt.number}`;
  return (
    <>
      <p className="trail">
        <Link href={`/builds/${build}`}>{detail?.name ?? showControls(build)}</Link>{' '}
        <code className="id">{showControls(build)}</code>
      </p>
      <PageHead
        title={title}
        json={path}
        aside={attempt === undefined || job === undefined ? null : <Standing job={job} attempt={attempt} />}
        actions={
          <button
            type="button"
            disabled={progress !== null}
            onClick={() => void download(pathOf`/attempts/${id}/log`, `${id}.log`, attempt?.logBytes ?? null)}
          >
            {progress === null ? 'Save' : `Saving, ${formatBytes(progress.bytes)}`}
          </button>
        }
      />
      {failure !== null && <p role="alert">{failure}</p>}
    </>
  );
}

function Standing({
  job,
  attempt,
}: {
  readonly job: JobView;
  readonly attempt: JobView['attempts'][number];
}) {
  return (
    <span className="standing">
      on <Link href={`/agents/${attempt.agentName}`}>{attempt.agentName}</Link>{' '}
      {attempt.end === null ? (
        <StateMark
          state={attempt.state === 'running' ? 'running' : 'assigned'}
          more={attempt.phase ?? undefined}
        />
      ) : (
        <span className="more">{describeEnd(attempt.end, job)}</span>
      )}
    </span>
  );
}

interface KnownLogProps {
  readonly log: AttemptLog;
  readonly attempt: string;
  readonly asked: number | null;
}

function KnownLog({ log, attempt, asked }: KnownLogProps) {
  const view = useSyncExternalStore(log.subscribe, log.view);
  const [selected, setSelected] = useState(asked);
  const select = useMemo(
    () => (offset: number) => {
      setSelected(offset);
      history.replaceState(history.state, '', `?at=${offset}`);
    },
    [],
  );
  return (
    <>
      <div className="log-bar">
        <LogSearch
          log={log}
          view={view}
          from={selected}
          onFound={(line) => {
            select(line.offset);
            void log.jump(line.offset);
          }}
        />
        <div className="spread" />
        <LogPosition log={log} view={view} />
        <Follow log={log} view={view} />
      </div>
      {view.lost !== null && (
        <p className="old-data" role="status">
          {view.lost}
          {view.isFollowing && ' Trying again; what is shown is what came until then.'}
        </p>
      )}
      <LogList log={log} view={view} selected={selected} onSelect={select} label={`Log of ${attempt}`} />
      <p className="log-end" role="status">
        {endWords(view)}
      </p>
    </>
  );
}

function Follow({ log, view }: Pick<KnownLogProps, 'log'> & { readonly view: LogView }) {
  if (view.isOver) return null;
  return (
    <button
      type="button"
      aria-pressed={view.isFollowing}
      onClick={() => {
        if (view.isFollowing) log.stopFollowing();
        else void log.follow();
      }}
    >
      {view.isFollowing ? '● Following' : 'Follow'}
    </button>
  );
}

function endWords({ window, size, isOver, gap, isFollowing }: LogView): string {
  if (window.end < size) return '';
  if (gap !== null) return gap;
  if (size === 0) return isOver ? 'Nothing was written.' : 'Nothing was written yet.';
  if (isOver) return 'The end of the log.';
  return isFollowing ? 'Waiting for more.' : '';
}
