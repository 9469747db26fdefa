import { useEffect, useMemo, useState } from 'react';
import type { BuildDetail } from '#libs/contracts';
import { startModel, withEvent, type WatchModel } from '#libs/watch';
import { useLive } from '../live/live.js';

/** The newest view of the build, with what only events tell: warnings, and how far transfers are. */
export function useWatchModel(build: BuildDetail): WatchModel {
  const { subscribe } = useLive();
  const [told, setTold] = useState(() => startModel(build));
  useEffect(
    () =>
      subscribe((event) => {
        if (event.build === build.id) setTold((model) => withEvent(model, event));
      }),
    [subscribe, build.id],
  );
  return useMemo(() => ({ ...told, build }), [told, build]);
}
