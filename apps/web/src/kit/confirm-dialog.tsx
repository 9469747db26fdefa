import { AlertDialog } from '@base-ui/react/alert-dialog';
import { useId, useState, type ReactNode } from 'react';
import { Failure } from './failure.js';

export interface ConfirmDialogProps {
  readonly title: string;
  /** What will happen, and what will not. */
  readonly children: ReactNode;
  /** On the button that does it: a verb. */
  readonly verb: string;
  readonly isDestructive?: boolean;
  /** Whether a reason must be given. */
  readonly needsWhy?: boolean;
  readonly error: unknown;
  readonly isBusy: boolean;
  readonly onConfirm: (why: string) => void;
  readonly onClose: () => void;
}

/** Asks before something is done that cannot be taken back, and for the reason that is kept with it. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const [why, setWhy] = useState('');
  const field = useId();
  const { title, children, verb, isDestructive = false, needsWhy = false, error, isBusy } = props;
  return (
    <AlertDialog.Root open onOpenChange={(open) => open || props.onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog">
          <AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
          <AlertDialog.Description render={<div />} className="dialog-text">
            {children}
          </AlertDialog.Description>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              props.onConfirm(why.trim());
            }}
          >
            <label htmlFor={field}>{needsWhy ? 'Why' : 'Why (kept in the audit log)'}</label>
            <input
              id={field}
              value={why}
              maxLength={500}
              required={needsWhy}
              onChange={(event) => setWhy(event.target.value)}
            />
            {error != null && <Failure error={error} />}
            <div className="dialog-buttons">
              <AlertDialog.Close type="button">Leave it</AlertDialog.Close>
              <button type="submit" className={isDestructive ? 'danger' : 'primary'} disabled={isBusy}>
                {verb}
              </button>
            </div>
          </form>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
