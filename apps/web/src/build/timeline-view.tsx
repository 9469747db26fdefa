import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import { Link } from 'wouter';
import type { BuildDetail, TakeoverList } from '#libs/contracts';
import { formatDuration } from '#libs/watch';
import { localClock } from '../kit/local-time.js';
import { ClockTime } from '../kit/moments.js';
import { useNow } from '../live/use-now.js';
import { pathOf } from '../session/farm-api.js';
import { useFarm } from '../session/use-farm.js';
import { timelineOf, type TimelineArrow, type TimelineBar, type TimelineLine } from './timeline.js';

const LINE_PX = 34;
/** What a line is higher by for each state that was carried over. */
const ARROW_PX = 34;

/** The attempts of each job as bars over the time of the build, with the agent that each was on, and arrows for the states that were carried from one agent to another. */
export function TimelineView({ build }: { readonly build: BuildDetail }) {
  const now = useNow();
  const scroller = useRef<HTMLDivElement>(null);
  const takeovers = useFarm<TakeoverList>(pathOf`/builds/${build.id}/takeovers`);
  const timeline = timelineOf(build, now, takeovers.data?.takeovers);
  const virtual = useVirtualizer({
    count: timeline?.lines.length ?? 0,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => heightOf(timeline?.lines[index]),
    getItemKey: (index) => `${index} ${heightOf(timeline?.lines[index])}`,
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
    <li
      className="timeline-line"
      style={{ transform: `translateY(${start}px)`, height: `${heightOf(line)}px` }}
    >
      <b className="timeline-label">{line.label}</b>
      <div className="timeline-tracks">
        <div className="timeline-track">
          {line.bars.map((bar) => (
            <Bar key={bar.attempt.id} bar={bar} build={build} />
          ))}
        </div>
        {line.arrows.map((arrow) => (
          <Arrow key={arrow.sentence} arrow={arrow} />
        ))}
      </div>
    </li>
  );
}

function heightOf(line: TimelineLine | undefined): number {
  return LINE_PX + (line?.arrows.length ?? 0) * ARROW_PX;
}

/** From below the bar where the state was made to below the one that went on with it. */
function Arrow({ arrow: { from, to, words, sentence } }: { readonly arrow: TimelineArrow }) {
  const [x1, x2] = [`${from * 100}%`, `${to * 100}%`];
  // Below the line, from the end of it on that leaves the words more room.
  const side = from > 0.5 ? { right: `${(1 - to) * 100}%` } : { left: x1 };
  return (
    <p className="timeline-arrow" title={sentence}>
      <svg aria-hidden="true">
        <circle cx={x1} cy="4" r="3" />
        <line x1={x1} y1="4" x2={x1} y2="13" />
        <line x1={x1} y1="13" x2={x2} y2="13" />
        <line x1={x2} y1="13" x2={x2} y2="4" />
        <svg x={x2} overflow="visible">
          <path d="M -4 7 L 0 0 L 4 7 Z" />
        </svg>
      </svg>
      <span className="hidden">{sentence}</span>
      <span className="arrow-words" aria-hidden="true" style={side}>
        {words}
      </span>
    </p>
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
