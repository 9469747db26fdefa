const BLOCK_BYTES = 512;

export interface MadeMember {
  readonly name: string;
  /** As in a header: `0` is a file, `1` a hard link, `2` a symbolic one, `5` a folder, `x` an extended header of the next one. */
  readonly type?: string;
  readonly link?: string;
  readonly content?: string;
  /** Instead of the length of the content. */
  readonly sizeBytes?: number;
  /** What is to be otherwise in the header, by offset. */
  readonly bent?: Readonly<Record<number, string>>;
}

/** A tar as no honest program writes it. */
export function makeTar(...members: readonly MadeMember[]): Buffer {
  return Buffer.concat([...members.flatMap((member) => makeMember(member)), Buffer.alloc(2 * BLOCK_BYTES)]);
}

/** A record of an extended header. */
export function makeRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const digits = String(rest.length + 2).length;
  return `${String(rest.length + digits)}${rest}`;
}

function makeMember({
  name,
  type = '0',
  link = '',
  content = '',
  sizeBytes,
  bent = {},
}: MadeMember): Buffer[] {
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, 0, 'latin1');
  header.write('0000755\0' + '0000000\0' + '0000000\0', 100);
  header.write((sizeBytes ?? content.length).toString(8).padStart(11, '0'), 124);
  header.write('00000000000', 136);
  header.write(type, 156, 'latin1');
  header.write(link, 157, 'latin1');
  header.write('ustar\x0000', 257);
  for (const [at, text] of Object.entries(bent)) header.write(text, Number(at), 'latin1');
  header.write(' '.repeat(8), 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(content.length / BLOCK_BYTES) * BLOCK_BYTES);
  body.write(content, 'latin1');
  return [header, body];
}

export async function readAll(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** In pieces that fit nothing. */
export async function* inPieces(bytes: Buffer, pieceBytes = 97): AsyncGenerator<Buffer> {
  await Promise.resolve();
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
