import type { CollectionReport, DropReport } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { sizeOfAreas } from './describe-node.js';

interface RemovalListProps {
  readonly removals: CollectionReport['removals'];
  readonly refused?: DropReport['refused'];
}

/** What goes, what it makes, and what stays for which reason. */
export function RemovalList({ removals, refused = [] }: RemovalListProps) {
  const bytes = removals.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
  const isUnknown = removals.some(({ usedBytes }) => usedBytes === null);
  return (
    <>
      {removals.length === 0 ? (
        <p className="none">Nothing would go.</p>
      ) : (
        <>
          <table aria-label="What would go">
            <thead>
              <tr>
                <th scope="col">Build</th>
                <th scope="col">Variant</th>
                <th scope="col">Agent</th>
                <th scope="col" className="number">
                  Takes
                </th>
                <th scope="col">As</th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {removals.map(({ agent, agentName, build, variant, usedBytes, as, why }) => (
                <tr key={`${agent} ${build} ${variant}`}>
                  <th scope="row">{build}</th>
                  <td>{variant}</td>
                  <td>{agentName}</td>
                  <td className="number">{sizeOfAreas(usedBytes)}</td>
                  <td>{as}</td>
                  <td>{why}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p>
            {formatBytes(bytes)} would be free then{isUnknown && ', and what was not measured yet'}.
          </p>
        </>
      )}
      {refused.length > 0 && (
        <ul className="refused" aria-label="What stays">
          {refused.map(({ agent, agentName, build, variant, why }) => (
            <li key={`${agent} ${build} ${variant}`}>
              {build} {variant} on {agentName} stays: {why}.
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
