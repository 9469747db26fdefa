import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import {
  AskCopies,
  AskId,
  AskPeerCertificate,
  AskRoom,
  AskTransfer,
  ATTEMPT_TOKEN_HEADER,
  AttemptId,
  Claim,
  EnrolRequest,
  EPOCH_HEADER,
  FarmError,
  FingerprintAnswer,
  Heartbeat,
  HeldReplica,
  Hello,
  ListingFailure,
  ListingId,
  RedeemTicket,
  Reports,
  Sha256,
  StartUpload,
  TakeFingerprints,
  UploadId,
  type EnrolResponse,
  type HeartbeatResponse,
  type HelloResponse,
  type LogPosition,
  type PeerCertificate,
  type RedeemedTicket,
  type ReportsResponse,
  type RoomAnswer,
  type TransferTicket,
  type UploadState,
  type CopiesAnswer,
  type TakenFingerprints,
  type TakenListing,
  type WantedReplicas,
} from '#libs/contracts';
import { BlobStore } from '#libs/artifacts';
import { Wakes } from '#libs/queue';
import type { AgentRow } from '#libs/store';
import { ForAgents, Public, TheAgent } from '../access/caller.js';
import { RequestLimit } from '../access/request-limit.js';
import type { AttemptClaim } from '../attempts/own-attempt.js';
import { TakeReports } from '../attempts/take-reports.js';
import { EventStream } from '../events/event-stream.js';
import { Replication } from '../scheduling/replication.js';
import { AskFingerprints } from '../fingerprints/ask-fingerprints.js';
import { AskListings } from '../checkpoints/ask-listings.js';
import { agentChannel, COPIED, FINGERPRINTS, LISTINGS, REPLICATE } from '../work.js';
import { sendBlob } from '../artifacts/send-blob.js';
import { AgentSessions } from './agent-sessions.js';
import { AttemptCopies } from './attempt-copies.js';
import { AttemptRoom } from './attempt-room.js';
import { AttemptLogs } from './attempt-logs.js';
import { AttemptUploads } from './attempt-uploads.js';
import { Claims } from './claims.js';
import { PeerCertificates } from './peer-certificates.js';
import { Transfers } from './transfers.js';

const ALIVE_MS = 10_000;
const WAKE_HINT = { event: 'wake', data: {} };
const REPLICATE_HINT = { event: REPLICATE, data: {} };
const COPIED_HINT = { event: COPIED, data: {} };
const FINGERPRINTS_HINT = { event: FINGERPRINTS, data: {} };
const LISTINGS_HINT = { event: LISTINGS, data: {} };
const HINTS: Readonly<Record<string, typeof WAKE_HINT>> = {
  [REPLICATE]: REPLICATE_HINT,
  [COPIED]: COPIED_HINT,
  [FINGERPRINTS]: FINGERPRINTS_HINT,
  [LISTINGS]: LISTINGS_HINT,
};

/** What agents call: libs/contracts agent-protocol.ts says what each call means. */
@ApiExcludeController()
@ForAgents()
@Controller('agent/v1')
export class GatewayController {
  constructor(
    private readonly sessions: AgentSessions,
    private readonly claims: Claims,
    private readonly takeReports: TakeReports,
    private readonly logs: AttemptLogs,
    private readonly uploads: AttemptUploads,
    private readonly peers: PeerCertificates,
    private readonly transfers: Transfers,
    private readonly replication: Replication,
    private readonly copies: AttemptCopies,
    private readonly fingerprints: AskFingerprints,
    private readonly listings: AskListings,
    private readonly room: AttemptRoom,
    private readonly blobs: BlobStore,
    private readonly wakes: Wakes,
    private readonly limit: RequestLimit,
  ) {}

  @Post('enrol')
  @Public()
  async enrol(
    @Body({ schema: EnrolRequest }) body: EnrolRequest,
    @Req() request: Request,
  ): Promise<EnrolResponse> {
    try {
      return await this.sessions.enrol(body);
    } catch (error) {
      if (error instanceof FarmError && error.code === 'NOT_AUTHENTICATED')
        this.limit.countFailure(request.ip ?? 'socket');
      throw error;
    }
  }

  @Post('hello')
  @HttpCode(200)
  async hello(@TheAgent() agent: AgentRow, @Body({ schema: Hello }) body: Hello): Promise<HelloResponse> {
    return await this.sessions.hello(agent, body);
  }

  @Post('heartbeat')
  @HttpCode(200)
  async heartbeat(
    @TheAgent() agent: AgentRow,
    @Body({ schema: Heartbeat }) body: Heartbeat,
  ): Promise<HeartbeatResponse> {
    return await this.sessions.heartbeat(agent, body);
  }

  @Get('wake')
  wake(@TheAgent() agent: AgentRow, @Res() response: Response): void {
    const stream = new EventStream(response);
    const stop = this.wakes.subscribe(agentChannel(agent.id), (text) => {
      void stream.send([HINTS[text] ?? WAKE_HINT]);
    });
    // What was wished while it was not connected, nobody has told it.
    void stream.send([WAKE_HINT, REPLICATE_HINT, COPIED_HINT, FINGERPRINTS_HINT, LISTINGS_HINT]);
    const alive = setInterval(() => void stream.keepAlive(), ALIVE_MS);
    stream.signal.addEventListener('abort', () => {
      clearInterval(alive);
      stop();
    });
  }

  @Post('claim')
  async claim(
    @TheAgent() agent: AgentRow,
    @Body({ schema: Claim }) body: Claim,
    @Res() response: Response,
  ): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const assignment = await this.claims.claim(agent, body.instance, gone.signal);
    if (assignment === null) response.status(204).end();
    else response.status(200).json(assignment);
  }

  @Post('attempts/:attempt/reports')
  @HttpCode(200)
  async reports(
    @TheAgent() agent: AgentRow,
    @Param('attempt', { schema: AttemptId }) attempt: AttemptId,
    @Headers() headers: Record<string, string | undefined>,
    @Body({ schema: Reports }) body: Reports,
  ): Promise<ReportsResponse> {
    const claim = claimOf(agent, attempt, headers);
    try {
      return { acknowledged: await this.takeReports.take(claim, body.reports) };
    } catch (error) {
      if (error instanceof FarmError && error.code === 'STALE_EPOCH') await this.takeReports.noteStale(claim);
      throw error;
    }
  }

  @Post('attempts/:attempt/log')
  @HttpCode(200)
  async log(
    @TheAgent() agent: AgentRow,
    @Param('attempt', { schema: AttemptId }) attempt: AttemptId,
    @Headers() headers: Record<string, string | undefined>,
    @Query('offset') offset: string | undefined,
    @Req() request: Request,
  ): Promise<LogPosition> {
    const claim = claimOf(agent, attempt, headers);
    return { bytes: await this.logs.append(claim, countOf('offset', offset), request) };
  }

  @Post('attempts/:attempt/uploads')
  @HttpCode(200)
  async startUpload(
    @TheAgent() agent: AgentRow,
    @Param('attempt', { schema: AttemptId }) attempt: AttemptId,
    @Headers() headers: Record<string, string | undefined>,
    @Body({ schema: StartUpload }) body: StartUpload,
  ): Promise<UploadState> {
    return await this.uploads.start(claimOf(agent, attempt, headers), body);
  }

  @Patch('attempts/:attempt/uploads/:upload')
  async upload(
    @TheAgent() agent: AgentRow,
    @Param('attempt', { schema: AttemptId }) attempt: AttemptId,
    @Param('upload', { schema: UploadId }) upload: UploadId,
    @Headers() headers: Record<string, string | undefined>,
    @Query('offset') offset: string | undefined,
    @Req() request: Request,
  ): Promise<UploadState> {
    return await this.uploads.append(
      claimOf(agent, attempt, headers),
      upload,
      countOf('offset', offset),
      request,
    );
  }

  @Post('attempts/:attempt/uploads/:upload/commit')
  @HttpCode(200)
  async commit(
    @TheAgent() agent: AgentRow,
    @Param('attempt', { schema: AttemptId }) attempt: AttemptId,
    @Param('upload', { schema: UploadId }) upload: UploadId,
    @Headers() headers: Record<string, string | undefined>,
  ): Promise<UploadState> {
    return await this.uploads.commit(claimOf(agent, attempt, headers), upload);
  }

  @Post('peer-certificate')
  @HttpCode(200)
  async peerCertificate(
    @TheAgent() agent: AgentRow,
    @Body({ schema: AskPeerCertificate }) body: AskPeerCertificate,
  ): Promise<PeerCertificate> {
    return await this.peers.issue(agent, body);
  }

  @Post('transfers')
  @HttpCode(200)
  async askTransfer(
    @TheAgent() agent: AgentRow,
    @Body({ schema: AskTransfer }) body: AskTransfer,
  ): Promise<TransferTicket> {
    return await this.transfers.ask(agent, body);
  }

  @Post('transfers/redeem')
  @HttpCode(200)
  async redeem(
    @TheAgent() agent: AgentRow,
    @Body({ schema: RedeemTicket }) body: RedeemTicket,
  ): Promise<RedeemedTicket> {
    return await this.transfers.redeem(agent, body.ticket);
  }

  @Get('replicas')
  async wantedReplicas(@TheAgent() agent: AgentRow): Promise<WantedReplicas> {
    return await this.replication.wantedOf(agent);
  }

  @Post('replicas')
  @HttpCode(204)
  async heldReplica(
    @TheAgent() agent: AgentRow,
    @Body({ schema: HeldReplica }) body: HeldReplica,
  ): Promise<void> {
    await this.replication.held(agent, body);
  }

  @Post('attempts/:attempt/copies')
  @HttpCode(200)
  async askCopies(
    @TheAgent() agent: AgentRow,
    @Param('attempt', { schema: AttemptId }) attempt: AttemptId,
    @Headers() headers: Record<string, string | undefined>,
    @Body({ schema: AskCopies }) { checkpoint }: AskCopies,
  ): Promise<CopiesAnswer> {
    return await this.copies.ask(claimOf(agent, attempt, headers), checkpoint);
  }

  @Post('fingerprints')
  @HttpCode(200)
  async takeFingerprints(
    @TheAgent() agent: AgentRow,
    @Body({ schema: TakeFingerprints }) { most }: TakeFingerprints,
  ): Promise<TakenFingerprints> {
    return await this.fingerprints.take(agent, most);
  }

  @Post('fingerprints/:ask')
  @HttpCode(204)
  async answerFingerprint(
    @TheAgent() agent: AgentRow,
    @Param('ask', { schema: AskId }) ask: AskId,
    @Body({ schema: FingerprintAnswer }) body: FingerprintAnswer,
  ): Promise<void> {
    await this.fingerprints.answer(agent, ask, body);
  }

  @Post('listings')
  @HttpCode(200)
  async takeListing(@TheAgent() agent: AgentRow): Promise<TakenListing> {
    return { ask: await this.listings.take(agent) };
  }

  @Put('listings/:ask')
  @HttpCode(204)
  async answerListing(
    @TheAgent() agent: AgentRow,
    @Param('ask', { schema: ListingId }) ask: ListingId,
    @Query('sha256', { schema: Sha256 }) sha256: Sha256,
    @Query('bytes') bytes: string | undefined,
    @Req() request: Request,
  ): Promise<void> {
    await this.listings.answer(agent, ask, { sha256, bytes: countOf('bytes', bytes) }, request);
  }

  @Post('listings/:ask')
  @HttpCode(204)
  async failListing(
    @TheAgent() agent: AgentRow,
    @Param('ask', { schema: ListingId }) ask: ListingId,
    @Body({ schema: ListingFailure }) body: ListingFailure,
  ): Promise<void> {
    await this.listings.fail(agent, ask, body);
  }

  @Post('attempts/:attempt/room')
  @HttpCode(200)
  async askRoom(
    @TheAgent() agent: AgentRow,
    @Param('attempt', { schema: AttemptId }) attempt: AttemptId,
    @Headers() headers: Record<string, string | undefined>,
    @Body({ schema: AskRoom }) body: AskRoom,
  ): Promise<RoomAnswer> {
    return await this.room.ask(agent, claimOf(agent, attempt, headers), body);
  }

  @Get('blobs/:sha256')
  async blob(
    @TheAgent() agent: AgentRow,
    @Param('sha256', { schema: Sha256 }) sha256: Sha256,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await sendBlob(this.blobs, await this.uploads.inputOf(agent, sha256), request, response);
  }
}

function claimOf(
  agent: AgentRow,
  attempt: AttemptId,
  headers: Readonly<Record<string, string | undefined>>,
): AttemptClaim {
  const epoch = headers[EPOCH_HEADER] ?? '';
  const token = headers[ATTEMPT_TOKEN_HEADER] ?? '';
  if (!/^\d{1,9}$/.test(epoch) || token === '') {
    throw new FarmError(
      'INVALID',
      `calls about an attempt need the headers ${EPOCH_HEADER} and ${ATTEMPT_TOKEN_HEADER}`,
    );
  }
  return { agent: agent.id, attempt, epoch: Number(epoch), token };
}

function countOf(name: string, text: string | undefined): number {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw new FarmError('INVALID', `${name}: expected a count of bytes`);
}
