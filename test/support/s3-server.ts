import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import type { S3Settings } from '#libs/artifacts';

/** What we use of s3rver, which has no types. */
interface S3rver {
  run(): Promise<AddressInfo>;
  close(): Promise<void>;
}
type S3rverClass = new (options: {
  readonly address: string;
  readonly port: number;
  readonly silent: boolean;
  readonly directory: string;
  readonly configureBuckets: readonly { readonly name: string }[];
}) => S3rver;

export interface RunningS3 {
  readonly settings: S3Settings;
  stop(): Promise<void>;
}

/** Starts an S3 server in this process, on a free port of loopback, with one bucket that is kept in `folder`. */
export async function startS3(folder: string, bucket: string): Promise<RunningS3> {
  const require = createRequire(import.meta.url);
  const S3rver = require('s3rver') as S3rverClass;
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder,
    configureBuckets: [{ name: bucket }],
  });
  const { port } = await server.run();
  return {
    settings: {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      bucket,
      prefix: '',
      accessKeyId: 'S3RVER',
      secretAccessKey: 'S3RVER',
      pathStyle: true,
    },
    stop: async () => await server.close(),
  };
}
