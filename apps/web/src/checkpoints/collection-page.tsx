import { useState } from 'react';
import type { CollectionReport } from '#libs/contracts';
import { ActionButton } from '../kit/action-button.js';
import { Answer } from '../kit/answer.js';
import { ConfirmDialog } from '../kit/confirm-dialog.js';
import { PageHead } from '../kit/page-head.js';
import { useMe } from '../session/session.js';
import { useFarm, useOrder } from '../session/use-farm.js';
import { whyNot } from '../session/why-not.js';
import { CheckpointsTabs } from './checkpoints-tabs.js';
import { RemovalList } from './removal-list.js';

const PATH = '/checkpoints/collection';

/** What policies would remove now, where, how much, and why. */
export function CollectionPage() {
  const me = useMe();
  const plan = useFarm<CollectionReport>(PATH);
  const order = useOrder<CollectionReport>();
  const [isAsked, setAsked] = useState(false);
  const close = (): void => {
    setAsked(false);
    order.reset();
  };
  return (
    <section className="checkpoints">
      <PageHead
        title="Checkpoints"
        json={PATH}
        actions={
          <ActionButton whyNot={whyNot(me, 'operator')} onClick={() => setAsked(true)}>
            Collect now…
          </ActionButton>
        }
      />
      <CheckpointsTabs at="collection" />
      <p className="summary">
        The farm does this by itself, each ten minutes, and when an agent is short of room.
      </p>
      <Answer of={plan} what="what would go">
        {({ removals, shortages }) => (
          <>
            <RemovalList removals={removals} />
            {shortages.map(({ agent, why }) => (
              <p key={agent ?? ''} className="notice">
                Room is wanted that cannot be made: {why}.
              </p>
            ))}
          </>
        )}
      </Answer>
      {isAsked && (
        <ConfirmDialog
          title="Collect now?"
          verb="Collect"
          isDestructive
          error={order.error}
          isBusy={order.isPending}
          onConfirm={(why) =>
            order.mutate(
              { path: '/checkpoints/collect', body: { why } },
              {
                onSuccess: () => {
                  void plan.refetch();
                  close();
                },
              },
            )
          }
          onClose={close}
        >
          <RemovalList removals={plan.data?.removals ?? []} />
        </ConfirmDialog>
      )}
    </section>
  );
}
