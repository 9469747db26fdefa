/** `build_data` is main's, `build_data.<lane>` a lane's. */
export function laneOf(workspace: string): string {
  const dot = workspace.indexOf('.');
  return dot < 0 ? 'main' : workspace.slice(dot + 1);
}
