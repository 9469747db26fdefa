import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { BlobError } from './blob-error.js';

export interface S3Settings {
  /** URL of an S3-compatible server; `null`: Amazon's, by region. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly bucket: string;
  /** In front of every key; empty, or ends with `/`. */
  readonly prefix: string;
  /** `null`, both: what the SDK finds by itself, such as the role of the machine. */
  readonly accessKeyId: string | null;
  readonly secretAccessKey: string | null;
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. By default so where an endpoint is given: most servers but Amazon's want it. */
  readonly pathStyle?: boolean;
}

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
}

/** The few calls of S3 that the stores need, which every compatible server has. Keys are without the prefix. */
export class S3Bucket {
  readonly description: string;
  /** Truly private, so that no dump of a store shows the credentials. */
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(settings: S3Settings) {
    const { endpoint, region, accessKeyId, secretAccessKey, bucket, prefix } = settings;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.description = `bucket ${bucket}/${prefix} at ${endpoint ?? region}`;
    this.#client = new S3Client({
      ...(endpoint === null ? {} : { endpoint }),
      region,
      forcePathStyle: settings.pathStyle ?? endpoint !== null,
      ...(accessKeyId === null || secretAccessKey === null
        ? {}
        : { credentials: { accessKeyId, secretAccessKey } }),
      // Newer checksums in trailers are refused by older servers; content is checked by SHA-256 anyway.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 5,
    });
  }

  /** Throws BlobError UNUSABLE when the bucket is not there, or not ours to list; it is closed then. */
  async check(): Promise<void> {
    try {
      await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${this.#prefix}blobs/`, MaxKeys: 1 }),
      );
    } catch (error) {
      this.close();
      const reason = error instanceof Error ? `${error.name} ${error.message}` : String(error);
      throw new BlobError('UNUSABLE', `${this.description} cannot be used: ${reason}`, null, {
        cause: error,
      });
    }
  }

  /** Length of an object; `null` when there is none. */
  async size(key: string): Promise<number | null> {
    const head = await orMissing(this.#client.send(new HeadObjectCommand(this.#object(key))));
    return head === null ? null : (head.ContentLength ?? 0);
  }

  /** `null` when there is no such object. The range must not be empty; both its ends count. */
  async get(
    key: string,
    range: { readonly start: number; readonly end: number } | null = null,
  ): Promise<Readable | null> {
    const Range = range === null ? {} : { Range: `bytes=${range.start}-${range.end}` };
    const got = await orMissing(this.#client.send(new GetObjectCommand({ ...this.#object(key), ...Range })));
    if (got === null) return null;
    if (got.Body instanceof Readable) return got.Body;
    throw new BlobError('UNUSABLE', `${this.description} gave no stream for ${key}`);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#client.send(new PutObjectCommand({ ...this.#object(key), Body: bytes }));
  }

  async remove(key: string): Promise<void> {
    await orMissing(this.#client.send(new DeleteObjectCommand(this.#object(key))));
  }

  /** In order of the keys, from the one behind `after` on. */
  async *list(prefix: string, after: string | null = null): AsyncGenerator<StoredObject> {
    const own = this.#prefix;
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: own + prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
          ...(after === null ? {} : { StartAfter: own + after }),
        }),
      );
      for (const { Key, Size } of page.Contents ?? [])
        if (Key !== undefined) yield { key: Key.slice(own.length), bytes: Size ?? 0 };
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  /**
   * Writes an object in parts, each but the last of 5 MiB or more. It appears when `parts` ends; when that throws, never. What a server keeps of it then, a
   * lifecycle rule for incomplete multipart uploads removes.
   */
  async putParts(key: string, parts: AsyncIterable<Uint8Array>): Promise<void> {
    const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand(this.#object(key)));
    const upload = { ...this.#object(key), UploadId };
    try {
      const Parts: CompletedPart[] = [];
      for await (const Body of parts) {
        const PartNumber = Parts.length + 1;
        const { ETag } = await this.#client.send(new UploadPartCommand({ ...upload, PartNumber, Body }));
        Parts.push({ PartNumber, ETag });
      }
      await this.#client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    } catch (error) {
      // Some servers cannot; the first error is the one to tell.
      await this.#client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
      throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #object(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }
}

async function orMissing<T>(sent: Promise<T>): Promise<T | null> {
  try {
    return await sent;
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (name === 'NoSuchKey' || name === 'NotFound') return null;
    throw error;
  }
}
