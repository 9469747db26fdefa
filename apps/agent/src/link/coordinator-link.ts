import {
  AGENT_PROTOCOL,
  CopiesAnswer,
  Assignment,
  ATTEMPT_TOKEN_HEADER,
  EPOCH_HEADER,
  EnrolResponse,
  HeartbeatResponse,
  HelloResponse,
  LogPosition,
  PeerCertificate,
  RedeemedTicket,
  ReportsResponse,
  RoomAnswer,
  TakenFingerprints,
  TakenListing,
  TransferTicket,
  UploadState,
  WantedReplicas,
  type AskId,
  type AskPeerCertificate,
  type AskRoom,
  type AskTransfer,
  type AttemptId,
  type EnrolRequest,
  type FingerprintAnswer,
  type Heartbeat,
  type AskCopies,
  type HeldReplica,
  type ListingAsk,
  type ListingFailure,
  type ListingId,
  type Hello,
  type Report,
  type StartUpload,
  type TakeFingerprints,
  type UploadId,
} from '#libs/contracts';
import type { ServerEvent } from '#libs/event-stream';
import { ApiError, type Download, type HttpClient } from '#libs/http-client';
import type { Readable } from 'node:stream';
import { z } from 'zod';

/** What each call about an attempt carries. */
export interface AttemptKey {
  readonly attempt: AttemptId;
  readonly epoch: number;
  /** A secret. */
  readonly token: string;
}

/** WRONG_OFFSET says where to go on. */
const WrongOffset = z.object({ bytes: z.number().int().min(0) });

/**
 * The calls of the agent protocol (libs/contracts/src/agent-protocol.ts), each tried once. All throw ApiError for a refusal and Unreachable where no answer
 * came; an answer that is none of ours is an error, too.
 */
export class CoordinatorLink {
  constructor(private readonly http: HttpClient) {}

  async enrol(request: EnrolRequest): Promise<EnrolResponse> {
    return EnrolResponse.parse(await this.http.json('POST', '/agent/v1/enrol', request));
  }

  async hello(hello: Omit<Hello, 'protocol'>, signal: AbortSignal): Promise<HelloResponse> {
    const body = { protocol: AGENT_PROTOCOL, ...hello };
    return HelloResponse.parse(await this.http.json('POST', '/agent/v1/hello', body, { signal }));
  }

  async heartbeat(body: Heartbeat, timeoutMs: number, signal: AbortSignal): Promise<HeartbeatResponse> {
    const answer = await this.http.json('POST', '/agent/v1/heartbeat', body, { signal, timeoutMs });
    return HeartbeatResponse.parse(answer);
  }

  /** One value for each hint that a heartbeat is worth it; ends when the coordinator ends it. */
  wake(signal: AbortSignal): AsyncIterable<ServerEvent> {
    return this.http.events('/agent/v1/wake', { signal });
  }

  /** `null`: there was nothing for as long as the coordinator lets one wait. */
  async claim(instance: string, waitMs: number, signal: AbortSignal): Promise<Assignment | null> {
    const timeoutMs = waitMs + ANSWER_MS;
    const answer = await this.http.json('POST', '/agent/v1/claim', { instance }, { signal, timeoutMs });
    return answer === null ? null : Assignment.parse(answer);
  }

  /** Resolves to the newest report that the coordinator keeps. */
  async reports(key: AttemptKey, reports: readonly Report[], signal: AbortSignal): Promise<number> {
    const options = { signal, headers: headersOf(key) };
    const answer = await this.http.json('POST', `${pathOf(key)}/reports`, { reports }, options);
    return ReportsResponse.parse(answer).acknowledged;
  }

  /** Resolves to how much of the log the coordinator has, whether it took these bytes or not; `null` only asks. */
  async log(
    key: AttemptKey,
    offset: number,
    bytes: { readonly content: Readable; readonly length: number } | null,
    signal: AbortSignal,
  ): Promise<number> {
    const path = `${pathOf(key)}/log?offset=${offset}`;
    const { content, length } = bytes ?? { content: new Uint8Array(), length: 0 };
    return await elsewhere(async () => {
      const options = { signal, headers: headersOf(key), length };
      return LogPosition.parse(await this.http.send('POST', path, content, options)).bytes;
    });
  }

  async startUpload(key: AttemptKey, body: StartUpload, signal: AbortSignal): Promise<UploadState> {
    const options = { signal, headers: headersOf(key) };
    return UploadState.parse(await this.http.json('POST', `${pathOf(key)}/uploads`, body, options));
  }

  /** Resolves to how much of it the coordinator has, whether it took these bytes or not. */
  async sendChunk(
    key: AttemptKey,
    upload: UploadId,
    offset: number,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    const path = `${pathOf(key)}/uploads/${upload}?offset=${offset}`;
    return await elsewhere(async () => {
      const answer = await this.http.send('PATCH', path, bytes, { signal, headers: headersOf(key) });
      return UploadState.parse(answer).offset;
    });
  }

  async commitUpload(key: AttemptKey, upload: UploadId, signal: AbortSignal): Promise<UploadState> {
    const path = `${pathOf(key)}/uploads/${upload}/commit`;
    return UploadState.parse(
      await this.http.json('POST', path, undefined, { signal, headers: headersOf(key) }),
    );
  }

  async blob(key: AttemptKey, sha256: string, offset: number, signal: AbortSignal): Promise<Download> {
    return await this.http.download(`/agent/v1/blobs/${sha256}`, { offset, signal, headers: headersOf(key) });
  }

  async peerCertificate(body: AskPeerCertificate, signal: AbortSignal): Promise<PeerCertificate> {
    return PeerCertificate.parse(
      await this.http.json('POST', '/agent/v1/peer-certificate', body, { signal }),
    );
  }

  /** Leave to fetch a checkpoint from another agent. ApiError 404: nobody can send it. */
  async askTransfer(body: AskTransfer, signal: AbortSignal): Promise<TransferTicket> {
    return TransferTicket.parse(await this.http.json('POST', '/agent/v1/transfers', body, { signal }));
  }

  /** What this agent is to keep a copy of. */
  async wantedReplicas(signal: AbortSignal): Promise<WantedReplicas> {
    return WantedReplicas.parse(await this.http.json('GET', '/agent/v1/replicas', undefined, { signal }));
  }

  /** Whether the attempt's checkpoint is on as many agents as is wanted. */
  async askCopies(key: AttemptKey, body: AskCopies, signal: AbortSignal): Promise<CopiesAnswer> {
    const options = { signal, headers: headersOf(key) };
    return CopiesAnswer.parse(await this.http.json('POST', `${pathOf(key)}/copies`, body, options));
  }

  /** What may go from the attempt's store, which is too full for it. */
  async askRoom(key: AttemptKey, body: AskRoom, signal: AbortSignal): Promise<RoomAnswer> {
    const options = { signal, headers: headersOf(key) };
    return RoomAnswer.parse(await this.http.json('POST', `${pathOf(key)}/room`, body, options));
  }

  async heldReplica(body: HeldReplica, signal: AbortSignal): Promise<void> {
    await this.http.json('POST', '/agent/v1/replicas', body, { signal });
  }

  /** What this agent is to ask for; it is this agent's from here on. */
  async takeFingerprints(body: TakeFingerprints, signal: AbortSignal): Promise<TakenFingerprints> {
    return TakenFingerprints.parse(await this.http.json('POST', '/agent/v1/fingerprints', body, { signal }));
  }

  async answerFingerprint(ask: AskId, body: FingerprintAnswer, signal: AbortSignal): Promise<void> {
    await this.http.json('POST', `/agent/v1/fingerprints/${ask}`, body, { signal });
  }

  /** A checkpoint of which the agent is to say what is in it; it is this agent's from here on. */
  async takeListing(signal: AbortSignal): Promise<ListingAsk | null> {
    return TakenListing.parse(await this.http.json('POST', '/agent/v1/listings', {}, { signal })).ask;
  }

  async answerListing(
    ask: ListingId,
    { sha256, bytes }: { readonly sha256: string; readonly bytes: number },
    content: Readable,
    signal: AbortSignal,
  ): Promise<void> {
    const path = `/agent/v1/listings/${ask}?sha256=${sha256}&bytes=${bytes}`;
    await this.http.send('PUT', path, content, { signal, length: bytes });
  }

  async failListing(ask: ListingId, body: ListingFailure, signal: AbortSignal): Promise<void> {
    await this.http.json('POST', `/agent/v1/listings/${ask}`, body, { signal });
  }

  /** A file of a submission for which this agent asks. */
  async askedBlob(sha256: string, offset: number, signal: AbortSignal): Promise<Download> {
    return await this.http.download(`/agent/v1/blobs/${sha256}`, { offset, signal });
  }

  /** What another agent's ticket is for; it is used up then. */
  async redeem(ticket: string, signal: AbortSignal): Promise<RedeemedTicket> {
    return RedeemedTicket.parse(
      await this.http.json('POST', '/agent/v1/transfers/redeem', { ticket }, { signal }),
    );
  }
}

/** A long poll's answer may come at the very end of its time. */
const ANSWER_MS = 10_000;

function pathOf({ attempt }: AttemptKey): string {
  return `/agent/v1/attempts/${attempt}`;
}

function headersOf({ epoch, token }: AttemptKey): Readonly<Record<string, string>> {
  return { [EPOCH_HEADER]: String(epoch), [ATTEMPT_TOKEN_HEADER]: token };
}

async function elsewhere(call: () => Promise<number>): Promise<number> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'WRONG_OFFSET') throw error;
    const body = WrongOffset.safeParse(error.body);
    if (body.success) return body.data.bytes;
    throw error;
  }
}
