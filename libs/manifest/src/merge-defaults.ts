import { childrenNamed, firstChild, newElement, type DraftElement } from './draft-element.js';

/**
 * Completes a manifest with the classic defaults (DC-manifest.defval.xml, values of 2010 except for the
 * password and the host name). A value that is present but empty (nothing, `""` or `''`) counts as missing.
 * Changes the tree in place; what it adds comes last, so that document order stays what the user wrote.
 */
export function mergeDefaults(root: DraftElement, now: Date): void {
  defaultAttribute(root, 'name', timestamp(now));
  for (const params of childrenNamed(root, 'distro_constr_params')) completeParams(params);
  for (const image of childrenNamed(root, 'img_params')) completeImage(image);
}

function completeParams(params: DraftElement): void {
  const flags = onlyChild(params, 'distro_constr_flags');
  if (flags !== null) {
    defaultText(flags, 'stop_on_error', 'true');
    defaultText(flags, 'checkpoint_enable', 'true');
  }
  // The original defaulted only what stands inside a boot_archive, and then failed late without one.
  for (const outputImage of childrenNamed(params, 'output_image')) {
    const archive = onlyChild(outputImage, 'boot_archive');
    if (archive === null) continue;
    defaultText(archive, 'size_pad_mb', '0');
    defaultText(archive, 'nbpi', '0');
    defaultAttributes(archive, 'compression', { type: 'gzip', level: '9' });
  }
}

const REPOSITORY = { url: 'http://pkg.opensolaris.org/release', authname: 'opensolaris.org' };

function completeImage(image: DraftElement): void {
  completeRepositories(image);
  defaultText(image, 'generate_ips_search_index', 'false');
  defaultText(image, 'rootpass', 'solaris');
  defaultAttributes(image, 'rootpass', { is_plaintext: 'true' });
  defaultAttributes(image, 'live_img_compression', { type: 'none', level: '0' });
  defaultText(image, 'hostname', 'solaris');
  defaultText(image, 'locale_list', 'Posix/C');
  defaultAttributes(image, 'locale_defaults', { locale: 'Posix/C', timezone: 'GMT' });
  completeAccounts(image);
  for (const menu of childrenNamed(image, 'grub_menu_modifications')) defaultText(menu, 'min_mem64', '1000');
  defaultText(image, 'netservices_SMF_profile', '/var/svc/profile/generic_limited_net.xml');
  const power = onlyChild(image, 'power_mgmt');
  if (power !== null) defaultText(power, 'enable', 'false');
  defaultText(image, 'pkg_image_area_max_size_gb', '0');
}

/** Where packages come from; and, unless they are Debian's, the publisher that stays in the image. */
function completeRepositories(image: DraftElement): void {
  const buildTime = onlyChild(image, 'pkg_repo_default_authority');
  if (buildTime === null) return;
  defaultAttributes(buildTime, 'main', REPOSITORY);
  if (firstChild(buildTime, 'main')?.attributes.get('farm:type') === 'deb') return;
  const installed = onlyChild(image, 'post_install_repo_default_authority');
  if (installed !== null) defaultAttributes(installed, 'main', REPOSITORY);
}

const SHELL = '/bin/ksh93';
const FIRST_UID = 1000;

function completeAccounts(image: DraftElement): void {
  const root = onlyChild(image, 'root_user');
  if (root !== null) completeAccount(root, '/root');
  const users = childrenNamed(image, 'user');
  const taken = new Set(users.map((user) => user.attributes.get('UID')));
  let uid = FIRST_UID;
  for (const user of users) {
    while (taken.has(String(uid))) uid += 1;
    if (defaultAttribute(user, 'UID', String(uid))) uid += 1;
    defaultAttribute(user, 'GID', '10');
    completeAccount(user, `/export/home/${user.attributes.get('username') ?? ''}`);
  }
}

function completeAccount(account: DraftElement, home: string): void {
  defaultText(account, 'homedir', home);
  defaultText(account, 'shell', SHELL);
  defaultText(account, 'password', '');
}

/** The child of that name, made when missing; `null` when there are several, which the schema will refuse. */
function onlyChild(parent: DraftElement, name: string): DraftElement | null {
  const [first, second] = childrenNamed(parent, name);
  if (second !== undefined) return null;
  if (first !== undefined) return first;
  const made = newElement(name);
  parent.children.push(made);
  return made;
}

function defaultText(parent: DraftElement, name: string, value: string): void {
  if (firstChild(parent, name) === undefined) parent.children.push(newElement(name, value));
  for (const child of childrenNamed(parent, name)) {
    if (isEmpty(child.text) && child.children.length === 0) child.text = value;
  }
}

function defaultAttributes(
  parent: DraftElement,
  name: string,
  values: Readonly<Record<string, string>>,
): void {
  const child = onlyChild(parent, name);
  if (child === null) return;
  for (const [attribute, value] of Object.entries(values)) defaultAttribute(child, attribute, value);
}

/** Says whether the default was needed. */
function defaultAttribute(element: DraftElement, name: string, value: string): boolean {
  if (!isEmpty(element.attributes.get(name) ?? '')) return false;
  element.attributes.set(name, value);
  return true;
}

function isEmpty(value: string): boolean {
  return value === '' || value === '""' || value === "''";
}

/** Local time, as the user reads the clock: `20100914-1305`. */
function timestamp(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${String(now.getFullYear()).padStart(4, '0')}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}`;
}
