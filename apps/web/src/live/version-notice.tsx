import { useRef } from 'react';
import { useMe } from '../session/session.js';

/** The page is of the coordinator that it came from; another version may say things that it does not know. */
export function VersionNotice() {
  const { version } = useMe();
  const first = useRef(version);
  if (version === first.current) return null;
  return (
    <p className="notice" role="status">
      The farm was changed from version {first.current} to {version}.{' '}
      <button type="button" onClick={() => location.reload()}>
        Load the new page
      </button>
    </p>
  );
}
