import { readdir, readFile, readlink, realpath } from 'node:fs/promises';

/** Processes that keep a folder tree busy: by working folder, root, program or open file. As `pid (command)`. */
export async function treeUsers(folder: string): Promise<readonly string[]> {
  // The kernel shows no links.
  const real = await realpath(folder).catch(() => folder);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const users = await Promise.all(
    pids.map(async (pid) => ((await usesTree(pid, real)) ? await describeProcess(pid) : null)),
  );
  return users.filter((user) => user !== null);
}

async function usesTree(pid: string, folder: string): Promise<boolean> {
  const open = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = ['cwd', 'root', 'exe', ...open.map((fd) => `fd/${fd}`)];
  const targets = await Promise.all(links.map((link) => readlink(`/proc/${pid}/${link}`).catch(() => '')));
  return targets.some((target) => target === folder || target.startsWith(`${folder}/`));
}

/** As `pid (command)`. */
export async function describeProcess(pid: string): Promise<string> {
  const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return `${pid} (${command.trim()})`;
}
