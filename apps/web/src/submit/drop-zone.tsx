import { useEffect, useRef, useState, type ReactNode } from 'react';
import { chosenOf, droppedOf, type Dropped } from './dropped.js';

interface DropZoneProps {
  readonly children: ReactNode;
  readonly onDrop: (things: readonly Dropped[]) => void;
}

/** Takes files and folders: dropped anywhere on the page, or chosen. */
export function DropZone({ children, onDrop }: DropZoneProps) {
  const isOver = useDropTarget(onDrop);
  return (
    <section className="drop-zone" aria-label="Drop a manifest" data-over={isOver || undefined}>
      <p>{children}</p>
      <div className="actions">
        <Chooser name="Choose files…" onDrop={onDrop} />
        <Chooser name="Choose a folder…" isFolder onDrop={onDrop} />
      </div>
    </section>
  );
}

interface ChooserProps {
  readonly name: string;
  readonly isFolder?: boolean;
  readonly onDrop: (things: readonly Dropped[]) => void;
}

function Chooser({ name, isFolder = false, onDrop }: ChooserProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isFolder) input.current?.setAttribute('webkitdirectory', '');
  }, [isFolder]);
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {name}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={name}
        onChange={({ target }) => {
          onDrop(chosenOf(target.files ?? []));
          // Else the same file, changed, would not be told of.
          target.value = '';
        }}
      />
    </>
  );
}

/** The whole window: a file that is dropped beside its target would take the page's place. Returns whether something is above it. */
function useDropTarget(onDrop: DropZoneProps['onDrop']): boolean {
  const [depth, setDepth] = useState(0);
  const take = useRef(onDrop);
  useEffect(() => {
    take.current = onDrop;
  });
  useEffect(() => {
    const over = new AbortController();
    const options = { signal: over.signal };
    const hasFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes('Files') === true;
    window.addEventListener('dragenter', (event) => hasFiles(event) && setDepth((at) => at + 1), options);
    window.addEventListener(
      'dragleave',
      (event) => hasFiles(event) && setDepth((at) => Math.max(0, at - 1)),
      options,
    );
    window.addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault(), options);
    window.addEventListener(
      'drop',
      (event) => {
        if (!hasFiles(event) || event.dataTransfer === null) return;
        event.preventDefault();
        setDepth(0);
        take.current(droppedOf(event.dataTransfer));
      },
      options,
    );
    return () => over.abort();
  }, []);
  return depth > 0;
}
