import { useState } from 'react';

/** Browsers let a page write to the clipboard over TLS and on the same host only: elsewhere there is no button, and the text can be marked. */
export function CopyButton({ text }: { readonly text: string }) {
  const [copied, setCopied] = useState<string | null>(null);
  if (!isSecureContext) return null;
  return (
    <button
      type="button"
      onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(text))}
    >
      {copied === text ? 'Copied' : 'Copy'}
    </button>
  );
}
