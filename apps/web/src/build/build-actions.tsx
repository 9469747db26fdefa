import { useState } from 'react';
import type { BuildDetail } from '#libs/contracts';
import { ActionButton } from '../kit/action-button.js';
import { ConfirmDialog } from '../kit/confirm-dialog.js';
import { Failure } from '../kit/failure.js';
import { useMe } from '../session/session.js';
import { useOrder } from '../session/use-farm.js';
import { whyNotChange } from '../session/why-not.js';
import { offeredActions } from './offered-actions.js';

/** What can be asked of the build as a whole. */
export function BuildActions({ build, path }: { readonly build: BuildDetail; readonly path: string }) {
  const me = useMe();
  const order = useOrder<BuildDetail>();
  const [isCancelling, setCancelling] = useState(false);
  const { pause, goOn, cancel } = offeredActions(build);
  const whyNot = whyNotChange(me, build);
  const give = (verb: string, body: object): void =>
    order.mutate({ path: `${path}/${verb}`, body, answers: path }, { onSuccess: () => setCancelling(false) });
  return (
    <div className="actions">
      {pause && (
        <ActionButton whyNot={whyNot} onClick={() => give('pause', {})}>
          Pause
        </ActionButton>
      )}
      {goOn !== null && (
        <ActionButton whyNot={whyNot} tone="primary" onClick={() => give('resume', {})}>
          {goOn === 'resume' ? 'Resume' : 'Retry'}
        </ActionButton>
      )}
      {cancel && (
        <ActionButton whyNot={whyNot} tone="danger" onClick={() => setCancelling(true)}>
          Cancel…
        </ActionButton>
      )}
      {order.isError && !isCancelling && <Failure error={order.error} />}
      {isCancelling && (
        <ConfirmDialog
          title={`Cancel build ${build.id}?`}
          verb="Cancel the build"
          isDestructive
          error={order.error}
          isBusy={order.isPending}
          onConfirm={(why) => give('cancel', { why })}
          onClose={() => {
            setCancelling(false);
            order.reset();
          }}
        >
          <p>
            Steps that run are ended within seconds, and what they have done is lost. Checkpoints stay: a
            retry goes on from the last one.
          </p>
        </ConfirmDialog>
      )}
    </div>
  );
}
