import { useId, type ReactNode } from 'react';

interface ActionButtonProps {
  readonly children: ReactNode;
  /** Why it cannot be done; `null` when it can. */
  readonly whyNot: string | null;
  readonly tone?: 'danger' | 'primary' | undefined;
  readonly onClick: () => void;
}

/** A button that says why it does nothing where it does nothing. It stays reachable, so that everybody gets to that. */
export function ActionButton({ children, whyNot, tone, onClick }: ActionButtonProps) {
  const reason = useId();
  return (
    <>
      <button
        type="button"
        className={tone}
        aria-disabled={whyNot !== null}
        aria-describedby={whyNot === null ? undefined : reason}
        title={whyNot ?? undefined}
        onClick={() => {
          if (whyNot === null) onClick();
        }}
      >
        {children}
      </button>
      {whyNot !== null && (
        <span id={reason} className="hidden">
          {whyNot}
        </span>
      )}
    </>
  );
}
