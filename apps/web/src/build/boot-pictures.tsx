import { Dialog } from '@base-ui/react/dialog';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { Artifact } from '#libs/contracts';
import { inWords } from '../session/api-failure.js';
import { useSession } from '../session/session.js';
import { pathToArtifact } from './artifact-path.js';
import { bootPictureOf, describeBootPicture, isPicture } from './boot-picture.js';

/** As many as a page of two variants by both firmwares and both media has; the others are in the table. */
const MOST_SHOWN = 16;

/** What the screens of media showed when they were booted. */
export function BootPictures({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  const found = artifacts.flatMap((artifact) => {
    const picture = bootPictureOf(artifact);
    return picture === null ? [] : [{ artifact, picture }];
  });
  if (found.length === 0) return null;
  const hasVariants = new Set(found.map(({ artifact }) => artifact.variant)).size > 1;
  return (
    <section aria-label="Boots">
      <h2>
        Boots <span className="count">{found.length}</span>
      </h2>
      <ul className="pictures">
        {found.slice(0, MOST_SHOWN).map(({ artifact, picture }) => (
          <li key={`${artifact.variant}/${artifact.name}`}>
            <Picture
              artifact={artifact}
              words={`${hasVariants ? `${artifact.variant}: ` : ''}${describeBootPicture(picture)}`}
            />
          </li>
        ))}
      </ul>
      {found.length > MOST_SHOWN && (
        <p className="more">{found.length - MOST_SHOWN} more are among the files.</p>
      )}
    </section>
  );
}

interface PictureProps {
  readonly artifact: Artifact;
  readonly words: string;
}

function Picture({ artifact, words }: PictureProps) {
  const { url, problem } = usePicture(artifact);
  const [isOpen, setOpen] = useState(false);
  return (
    <figure>
      {url === null ? (
        <p className="no-picture">{problem ?? 'Loading…'}</p>
      ) : (
        <button type="button" className="picture" onClick={() => setOpen(true)}>
          <img src={url} alt={`Screen of ${words}`} />
        </button>
      )}
      <figcaption>{words}</figcaption>
      {url !== null && (
        <Dialog.Root open={isOpen} onOpenChange={setOpen}>
          <Dialog.Portal>
            <Dialog.Backdrop className="backdrop" />
            <Dialog.Popup className="dialog picture-dialog">
              <Dialog.Title className="dialog-title">{words}</Dialog.Title>
              <img src={url} alt={`Screen of ${words}, full size`} />
              <div className="dialog-buttons">
                <Dialog.Close type="button">Close</Dialog.Close>
              </div>
            </Dialog.Popup>
          </Dialog.Portal>
        </Dialog.Root>
      )}
    </figure>
  );
}

/** Its bytes as an address of this page's own: an address of the farm could not carry the token. */
function usePicture(artifact: Artifact): { readonly url: string | null; readonly problem: string | null } {
  const { api } = useSession();
  const { sha256 } = artifact;
  const answer = useQuery({
    queryKey: ['picture', sha256],
    queryFn: async ({ signal }) => {
      const response = await api.open(pathToArtifact(artifact), { signal });
      return new Uint8Array(await response.arrayBuffer());
    },
  });
  const file = answer.data;
  const isShown = file !== undefined && isPicture(file);
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (file === undefined || !isShown) return;
    // The type is ours: whatever is in the file is taken for a PNG or not shown at all.
    const made = URL.createObjectURL(new Blob([file], { type: 'image/png' }));
    setUrl(made);
    return () => {
      setUrl(null);
      URL.revokeObjectURL(made);
    };
  }, [file, isShown]);
  if (answer.isError) return { url: null, problem: inWords(answer.error).message };
  return { url, problem: file === undefined || isShown ? null : 'This is no picture.' };
}
