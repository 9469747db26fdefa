import { useQueryClient } from '@tanstack/react-query';
import type { DropReport, StateHolding } from '#libs/contracts';
import { Answer } from '../kit/answer.js';
import { ConfirmDialog } from '../kit/confirm-dialog.js';
import { useFarm, useOrder } from '../session/use-farm.js';
import { RemovalList } from './removal-list.js';

interface DropDialogProps {
  readonly holding: StateHolding;
  readonly onClose: () => void;
}

/** Shows what would go, and why something stays, before it does. An area goes as a whole: that is what an agent can drop. */
export function DropDialog({ holding, onClose }: DropDialogProps) {
  const { build, variant, agentName } = holding;
  const asked = new URLSearchParams({ build, variant, agent: agentName });
  const plan = useFarm<DropReport>(`/checkpoints/drop?${asked.toString()}`);
  const order = useOrder<DropReport>();
  const queries = useQueryClient();
  const mayGo = (plan.data?.removals.length ?? 0) > 0;
  return (
    <ConfirmDialog
      title={`Drop what ${agentName} holds of ${variant}?`}
      verb="Drop it"
      isDestructive
      needsWhy
      error={order.error}
      isBusy={order.isPending || !mayGo}
      onConfirm={(why) =>
        order.mutate(
          { path: '/checkpoints/drop', body: { build, variant, agent: agentName, why } },
          {
            onSuccess: () => {
              // That it was told to go is no event; that it went will be.
              void queries.refetchQueries({
                predicate: ({ queryKey: [path] }) => String(path).startsWith('/checkpoints/trie'),
                type: 'active',
              });
              onClose();
            },
          },
        )
      }
      onClose={onClose}
    >
      <p>
        All checkpoints of the variant on that agent go together. What others hold stays; what nobody else
        holds has to be made again when it is wanted.
      </p>
      <Answer of={plan} what="what would go">
        {(report) => <RemovalList {...report} />}
      </Answer>
    </ConfirmDialog>
  );
}
