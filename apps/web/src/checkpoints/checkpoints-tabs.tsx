import { Link } from 'wouter';

/** The views of what agents hold. */
export function CheckpointsTabs({ at }: { readonly at: 'tree' | 'collection' }) {
  return (
    <nav className="tabs" aria-label="Views of the checkpoints">
      <Link href="/checkpoints" aria-current={at === 'tree' ? 'page' : undefined}>
        Tree
      </Link>
      <Link href="/checkpoints/collection" aria-current={at === 'collection' ? 'page' : undefined}>
        What collecting would remove
      </Link>
    </nav>
  );
}
