import { useState } from 'react';
import { Link } from 'wouter';
import type { CheckpointPinList, StateHolding, TrieNodeDetail } from '#libs/contracts';
import { ActionButton } from '../kit/action-button.js';
import { Failure } from '../kit/failure.js';
import { Ago, DateTime } from '../kit/moments.js';
import { StateMark } from '../kit/state-mark.js';
import { pathOf } from '../session/farm-api.js';
import { useMe } from '../session/session.js';
import { useFarm, useOrder } from '../session/use-farm.js';
import { whyNot, whyNotChange } from '../session/why-not.js';
import { belowNode, nameOfNode, sharesOfNode, sizeOfAreas } from './describe-node.js';
import { DropDialog } from './drop-dialog.js';
import { pinOf } from './pin-of.js';

interface StatePanelProps {
  readonly detail: TrieNodeDetail;
  /** Id of the checkpoint that another one is to be compared with; `null`: none. */
  readonly from: string | null;
  readonly onFrom: (checkpoint: string | null) => void;
}

/** All that is known of one state, and what can be done with what holds it. */
export function StatePanel({ detail, from, onFrom }: StatePanelProps) {
  const { node, holdings, holdingsInAll, sharedBy } = detail;
  const name = nameOfNode(node);
  return (
    <aside className="panel" aria-label={`State behind ${name}`}>
      <h2>
        {name} <span className="more">{node.distributions.join(', ')}</span>
      </h2>
      <dl>
        <dt>{node.kind === 'state' ? 'Step key' : 'Id'}</dt>
        <dd>
          <code className="id trie-id">{node.id}</code>
        </dd>
        {node.before !== null && (
          <>
            <dt>In front of</dt>
            <dd>{node.before}</dd>
          </>
        )}
        <dt>Newest</dt>
        <dd>
          <Ago at={node.newestAt} />
        </dd>
        <dt>Shared by</dt>
        <dd>{sharesOfNode(node)}</dd>
        {node.below > 0 && (
          <>
            <dt>Grown from it</dt>
            <dd>{belowNode(node)}</dd>
          </>
        )}
        {node.kind === 'state' && (
          <>
            <dt>Areas take</dt>
            <dd>
              {sizeOfAreas(node.areaBytes)}{' '}
              <span className="more">
                with all else that is in them: a state shares its bytes with those around it
              </span>
            </dd>
          </>
        )}
      </dl>
      {node.checkpoint !== null && <Compare checkpoint={node.checkpoint} from={from} onFrom={onFrom} />}
      {holdings.length > 0 && (
        <>
          <h3>
            Held <span className="count">{holdingsInAll}</span>
          </h3>
          <ul className="holdings">
            {holdings.map((holding) => (
              <Holding key={`${holding.agent} ${holding.checkpoint}`} holding={holding} />
            ))}
          </ul>
          {holdingsInAll > holdings.length && (
            <p className="more">{holdingsInAll - holdings.length} older ones are not shown.</p>
          )}
        </>
      )}
      {sharedBy.length > 0 && (
        <>
          <h3>Variants that have it</h3>
          <ul className="sharing">
            {sharedBy.map(({ build, name: distribution, variants }) => (
              <li key={build}>
                <Link href={`/builds/${build}`}>{build}</Link> <span className="more">{distribution}</span>{' '}
                {variants.join(', ')}
              </li>
            ))}
          </ul>
        </>
      )}
    </aside>
  );
}

interface CompareProps {
  readonly checkpoint: string;
  readonly from: StatePanelProps['from'];
  readonly onFrom: StatePanelProps['onFrom'];
}

/** Two are chosen one after the other. */
function Compare({ checkpoint, from, onFrom }: CompareProps) {
  if (from === null || from === checkpoint) {
    return (
      <p className="actions">
        {from === null ? (
          <button type="button" onClick={() => onFrom(checkpoint)}>
            Compare…
          </button>
        ) : (
          <>
            <span role="status">Choose the state to compare it with.</span>
            <button type="button" onClick={() => onFrom(null)}>
              Leave it
            </button>
          </>
        )}
      </p>
    );
  }
  const ends = new URLSearchParams({ from, to: checkpoint });
  return (
    <p className="actions">
      <Link href={`/checkpoints/diff?${ends.toString()}`} className="button">
        Compare with the one chosen before
      </Link>
      <button type="button" onClick={() => onFrom(null)}>
        Leave it
      </button>
    </p>
  );
}

function Holding({ holding }: { readonly holding: StateHolding }) {
  const me = useMe();
  const order = useOrder<CheckpointPinList>();
  const pins = useFarm<CheckpointPinList>('/checkpoints/pins');
  const [isDropping, setDropping] = useState(false);
  const { build, variant, agentName, lost, lane, takenAt, usedBytes, checkpointsInArea } = holding;
  const pin = pinOf(pins.data?.pins ?? [], holding);
  const refused = whyNotChange(me, holding);
  const give = (verb: 'pin' | 'unpin', of: string | null): void =>
    order.mutate({
      path: pathOf`/checkpoints/${build}/${verb}`,
      body: { variant: of },
      answers: '/checkpoints/pins',
    });
  return (
    <li className="holding">
      <p>
        <Link href={`/agents/${agentName}`}>{agentName}</Link> {lost && <StateMark state="lost" />} of{' '}
        <Link href={`/builds/${build}`}>{build}</Link> {variant}
        {lane !== 'main' && <>, lane {lane}</>}
      </p>
      <p className="more">
        taken <DateTime at={takenAt} />; its area there holds {checkpointsInArea} and takes{' '}
        {sizeOfAreas(usedBytes)}
        {!holding.trusted && '; of an untrusted build, so only such go on from it'}
      </p>
      <p className="holding-marks">
        {holding.going && <span className="mark">going</span>}
        {holding.inUse && <span className="mark">in use</span>}
        {pin !== null && (
          <span className="mark">
            pinned by {pin.user}
            {pin.variant === null && ', with all of the build'}
            {pin.why !== '' && `: ${pin.why}`}
          </span>
        )}
        {holding.as !== null && <span className="more">may go as {holding.as}</span>}
      </p>
      <div className="actions">
        {pin === null ? (
          <ActionButton whyNot={refused} onClick={() => give('pin', variant)}>
            Pin
          </ActionButton>
        ) : (
          <ActionButton whyNot={refused} onClick={() => give('unpin', pin.variant)}>
            Unpin
          </ActionButton>
        )}
        <ActionButton whyNot={whyNot(me, 'operator')} tone="danger" onClick={() => setDropping(true)}>
          Drop…
        </ActionButton>
        {order.isError && <Failure error={order.error} />}
      </div>
      {isDropping && <DropDialog holding={holding} onClose={() => setDropping(false)} />}
    </li>
  );
}
