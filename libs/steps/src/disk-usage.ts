export interface DiskUsage {
  readonly path: string;
  /** Apparent size: what the files hold, not what the file system stores (it may compress). */
  readonly bytes: number;
}

/** Weighs folders without crossing into other file systems. Those that are absent, or vanish meanwhile, weigh what could be seen. */
export async function diskUsage(paths: readonly string[]): Promise<readonly DiskUsage[]> {
  const { execa } = await import('execa');
  const flags = ['--apparent-size', '--block-size=1', '--summarize', '--one-file-system', '--null'];
  const { stdout } = await execa('du', [...flags, '--', ...paths], { reject: false, stderr: 'ignore' });
  return stdout
    .split('\0')
    .map((record) => /^(\d+)\t(.*)$/s.exec(record))
    .flatMap((match) => (match === null ? [] : [{ path: match[2] ?? '', bytes: Number(match[1]) }]));
}
