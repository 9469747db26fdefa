import { Component, type ReactNode } from 'react';
import { inWords } from '../session/api-failure.js';

interface ErrorBoundaryProps {
  readonly children: ReactNode;
  readonly onFailure?: () => void;
}

interface ErrorBoundaryState {
  readonly failure: { readonly error: unknown } | null;
}

/** In the place of what cannot be shown: an answer of a form that the page does not know, a part of the page that is not there any more. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, ErrorBoundaryState> {
  override state: ErrorBoundaryState = { failure: null };

  static getDerivedStateFromError(error: unknown): ErrorBoundaryState {
    return { failure: { error } };
  }

  override componentDidCatch(): void {
    this.props.onFailure?.();
  }

  override render(): ReactNode {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    const { message, hint } = inWords(failure.error);
    return (
      <section className="failure" role="alert">
        <title>Failed · distrofarm</title>
        <h1>This cannot be shown</h1>
        <p>
          <strong>{message}</strong>
        </p>
        {hint !== null && <p>{hint}</p>}
        <button type="button" onClick={() => location.reload()}>
          Load the page anew
        </button>
      </section>
    );
  }
}
