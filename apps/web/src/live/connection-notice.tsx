import { ClockTime } from '../kit/moments.js';
import { useLive } from './live.js';

/** Says that what is shown is old, and of when, for as long as it is. Screen readers hear both changes. */
export function ConnectionNotice() {
  const { connection } = useLive();
  return (
    <div role="status" className="connection" data-kind={connection.kind}>
      {connection.kind === 'lost' && (
        <p className="old-data">
          <strong>
            Old data: what you see is of <ClockTime at={connection.since} />.
          </strong>{' '}
          Not connected since then. {connection.why} Trying again.
        </p>
      )}
      {connection.kind === 'live' && <span className="hidden">Connected.</span>}
    </div>
  );
}
