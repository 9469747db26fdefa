import { Dialog } from '@base-ui/react/dialog';
import { useId, useState } from 'react';
import type { Enrolment } from '#libs/contracts';
import { CopyButton } from '../kit/copy-button.js';
import { Failure } from '../kit/failure.js';
import { ClockTime } from '../kit/moments.js';
import { useOrder } from '../session/use-farm.js';

/** Makes an enrolment, and shows the one command to run on the host. It is shown this once: the token in it is not kept. */
export function EnrolDialog({ onClose }: { readonly onClose: () => void }) {
  const order = useOrder<Enrolment>();
  const [name, setName] = useState('');
  const field = useId();
  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">Enrol an agent</Dialog.Title>
          {order.data === undefined ? (
            <form
              onSubmit={(event) => {
                event.preventDefault();
                order.mutate({
                  path: '/agents/enrolments',
                  body: { name: name.trim() === '' ? null : name.trim() },
                });
              }}
            >
              <label htmlFor={field}>Its name (left empty, the host says it)</label>
              <input
                id={field}
                value={name}
                maxLength={64}
                onChange={(event) => setName(event.target.value)}
              />
              {order.isError && <Failure error={order.error} />}
              <div className="dialog-buttons">
                <Dialog.Close type="button">Leave it</Dialog.Close>
                <button type="submit" className="primary" disabled={order.isPending}>
                  Make the command
                </button>
              </div>
            </form>
          ) : (
            <Made enrolment={order.data} />
          )}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Made({ enrolment }: { readonly enrolment: Enrolment }) {
  return (
    <>
      <p>
        Run this on the host, as root. It works once, until <ClockTime at={enrolment.expiresAt} />.
      </p>
      <pre className="command" tabIndex={0} aria-label="Command to run on the host">
        {enrolment.command}
      </pre>
      <div className="dialog-buttons">
        <CopyButton text={enrolment.command} />
        <Dialog.Close type="button" className="primary">
          Done
        </Dialog.Close>
      </div>
    </>
  );
}
