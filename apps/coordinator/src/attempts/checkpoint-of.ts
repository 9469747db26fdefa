import type { BuildId, Holding } from '#libs/contracts';
import type { CheckpointRow } from '#libs/store';

const LINEAGE = /^(b-[0-9a-z]{10})\/([A-Za-z0-9][A-Za-z0-9_.:+-]{0,63})\/\d{1,3}\/g\d{1,9}$/;

/** As the record keeps it. `null`: it is of no job, so what an agent's store holds under that name is nobody's here. */
export function checkpointOf(holding: Holding): Omit<CheckpointRow, 'agentId'> | null {
  const match = LINEAGE.exec(holding.lineage);
  if (match === null) return null;
  const { key = null, ...row } = holding;
  return { ...row, key, buildId: match[1] as BuildId, variant: match[2] ?? '' };
}
