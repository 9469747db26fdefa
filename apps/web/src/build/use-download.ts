import { useState } from 'react';
import { inWords } from '../session/api-failure.js';
import { useSession } from '../session/session.js';

export interface DownloadProgress {
  readonly name: string;
  readonly bytes: number;
  /** `null` where it is not known. */
  readonly total: number | null;
}

/**
 * Loads a file of the farm and hands it to the browser to keep. It goes through the page because a link could carry the token only in its address;
 * the browser holds the bytes, on disk when they are many, until all have come.
 */
export function useDownload() {
  const { api } = useSession();
  const [progress, setProgress] = useState<DownloadProgress | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const download = async (path: string, name: string, total: number | null): Promise<void> => {
    setFailure(null);
    setProgress({ name, bytes: 0, total });
    try {
      const response = await api.open(path, {});
      const body = response.body?.pipeThrough(counting((bytes) => setProgress({ name, bytes, total })));
      save(await new Response(body ?? null).blob(), name);
    } catch (error) {
      setFailure(`${name}: ${inWords(error).message}`);
    } finally {
      setProgress(null);
    }
  };
  return { download, progress, failure };
}

const TELL_EVERY_BYTES = 4 * 1024 * 1024;

function counting(
  tell: (bytes: number) => void,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let [bytes, told] = [0, 0];
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes - told > TELL_EVERY_BYTES) tell((told = bytes));
      controller.enqueue(chunk);
    },
  });
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
