import { useState } from 'react';
import type { ReadyDiff } from '#libs/contracts';

/** More than a release of a distribution changes, and no more than a page can have. */
const SHOWN = 100;

/** Packages that came, went, or have another version. */
export function PackageChanges({ of: packages }: { readonly of: ReadyDiff['packages'] }) {
  const [isWhole, setWhole] = useState(false);
  if (packages === null) return null;
  const { changes, counts } = packages;
  const shown = isWhole ? changes : changes.slice(0, SHOWN);
  return (
    <>
      <h2>
        Packages{' '}
        <span className="more">
          {counts.added} added, {counts.removed} removed, {counts.changed} changed,{' '}
          {counts.same.toLocaleString()} the same
        </span>
      </h2>
      {changes.length > 0 && (
        <table aria-label="Packages that differ">
          <thead>
            <tr>
              <th scope="col">Package</th>
              <th scope="col">Change</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ name, architecture, from, to }) => (
              <tr key={`${name}:${architecture}`}>
                <th scope="row">
                  {name} <span className="more">{architecture}</span>
                </th>
                <td>{from === null ? 'added' : to === null ? 'removed' : 'changed'}</td>
                <td className="version" data-name="from">
                  {from ?? '–'}
                </td>
                <td className="version" data-name="to">
                  {to ?? '–'}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {shown.length < changes.length && (
        <button type="button" onClick={() => setWhole(true)}>
          And {(changes.length - shown.length).toLocaleString()} more
        </button>
      )}
    </>
  );
}
