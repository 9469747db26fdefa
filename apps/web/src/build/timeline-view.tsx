import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import { Link } from 'wouter';
import type { BuildDetail } from '#libs/contracts';
import { formatDuration } from '#libs/watch';
import { localClock } from '../kit/local-time.js';
import { ClockTime } from '../kit/moments.js';
import { useNow } from '../live/use-now.js';
import { timelineOf, type TimelineBar, type TimelineLine } from './timeline.js';

const LINE_PX = 34;

/** The attempts of each job as bars over the time of the build, with the agent that each was on and where one took over from another. */
export function TimelineView({ build }: { readonly build: BuildDetail }) {
  const now = useNow();
  const scroller = useRef<HTMLDivElement>(null);
  const timeline = timelineOf(build, now);
  const virtual = useVirtualizer({
    count: timeline?.lines.length ?? 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: 10,
  });
  if (timeline === null) return <p className="none">Nothing of it was given to an agent yet.</p>;
  return (
    <section className="timeline" aria-label="Attempts over time">
      <p className="timeline-scale">
        <ClockTime at={timeline.begin} />
        <span>{formatDuration(timeline.end - timeline.begin)}</span>
        <ClockTime at={timeline.end} />
      </p>
      <div className="timeline-scroller" ref={scroller} tabIndex={0} role="group" aria-label="Jobs">
        <ol style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => (
            <Line key={index} line={timeline.lines[index]} build={build} start={start} />
          ))}
        </ol>
      </div>
    </section>
  );
}

interface LineProps {
  readonly line: TimelineLine | undefined;
  readonly build: BuildDetail;
  readonly start: number;
}

function Line({ line, build, start }: LineProps) {
  if (line === undefined) return null;
  return (
    <li className="timeline-line" style={{ transform: `translateY(${start}px)` }}>
      <b className="timeline-label">{line.label}</b>
      <div className="timeline-track">
        {line.bars.map((bar) => (
          <Bar key={bar.attempt.id} bar={bar} build={build} />
        ))}
      </div>
    </li>
  );
}

function Bar({ bar, build }: { readonly bar: TimelineBar; readonly build: BuildDetail }) {
  const { attempt, from, width, tone, words, tookOverFrom } = bar;
  const until = attempt.endedAt === null ? 'now' : localClock(attempt.endedAt);
  const over = tookOverFrom === null ? '' : `, took over from ${tookOverFrom}`;
  const when = `${localClock(attempt.assignedAt)} to ${until}`;
  return (
    <Link
      href={`/builds/${build.id}/log/${attempt.id}`}
      className="timeline-bar"
      data-tone={tone}
      title={`${when}: ${words}`}
      style={{ left: `${from * 100}%`, width: `${width * 100}%` }}
    >
      <span className="hidden">
        Attempt {attempt.number} on {attempt.agentName}
        {over}, {when}:{' '}
      </span>
      {tookOverFrom !== null && <span className="hand-over">{tookOverFrom} ⤳ </span>}
      {attempt.agentName} <span className="bar-words">{words}</span>
    </Link>
  );
}
