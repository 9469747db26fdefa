import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import type { Logger } from 'pino';
import { BlobStore, LogStore } from '#libs/artifacts';
import { FarmError } from '#libs/contracts';
import { AgentInbox, DispatchQueue, FarmRedis, Wakes } from '#libs/queue';
import { AccessGuard } from './access/access.guard.js';
import { RequestLimit } from './access/request-limit.js';
import { AgentActions } from './agents/agent-actions.js';
import { AgentHistories } from './agents/agent-history.js';
import { AgentViews } from './agents/agent-views.js';
import { AccessController } from './api/access.controller.js';
import { AgentsController } from './api/agents.controller.js';
import { BuildsController } from './api/builds.controller.js';
import { CheckpointsController } from './api/checkpoints.controller.js';
import { FarmController } from './api/farm.controller.js';
import { LogsController } from './api/logs.controller.js';
import { ArtifactsController } from './artifacts/artifacts.controller.js';
import { EndAttempts } from './attempts/end-attempts.js';
import { TakeReports } from './attempts/take-reports.js';
import { BuildActions } from './builds/build-actions.js';
import { BuildViews } from './builds/build-views.js';
import { ExplainBuild } from './builds/explain-build.js';
import { PreviewBuild } from './builds/preview-build.js';
import { ReadsOfBuild } from './builds/reads-of-build.js';
import { SubmitBuilds } from './builds/submit-builds.js';
import { TakeoversOfBuild } from './builds/takeovers-of-build.js';
import { AskListings } from './checkpoints/ask-listings.js';
import { CheckpointViews } from './checkpoints/checkpoint-views.js';
import { CompareCheckpoints } from './checkpoints/compare-checkpoints.js';
import { DropCheckpoints } from './checkpoints/drop-checkpoints.js';
import { PinCheckpoints } from './checkpoints/pin-checkpoints.js';
import { TrieViews } from './checkpoints/trie-views.js';
import { CoordinatorConfig } from './config.js';
import { ErrorFilter } from './error.filter.js';
import { EventFeed } from './events/event-feed.js';
import { EventsController } from './events/events.controller.js';
import { FarmCertificate } from './farm-certificate.js';
import { AskFingerprints } from './fingerprints/ask-fingerprints.js';
import { PlanFingerprints } from './fingerprints/plan-fingerprints.js';
import { SettleKeys } from './fingerprints/settle-keys.js';
import { AgentSessions } from './gateway/agent-sessions.js';
import { AttemptCopies } from './gateway/attempt-copies.js';
import { AttemptRoom } from './gateway/attempt-room.js';
import { AttemptLogs } from './gateway/attempt-logs.js';
import { AttemptUploads } from './gateway/attempt-uploads.js';
import { Claims } from './gateway/claims.js';
import { PeerCertificates } from './gateway/peer-certificates.js';
import { Transfers } from './gateway/transfers.js';
import { GatewayController } from './gateway/gateway.controller.js';
import { CollectBuilds } from './loops/collect-builds.js';
import { CollectCheckpoints } from './loops/collect-checkpoints.js';
import { ForgetInboxes } from './loops/forget-inboxes.js';
import { FindLost } from './loops/find-lost.js';
import { Loops } from './loops/loops.js';
import { Metrics } from './metrics.js';
import type { Resources } from './open-resources.js';
import { Duty } from './scheduling/duty.js';
import { HandOvers } from './scheduling/hand-overs.js';
import { Replication } from './scheduling/replication.js';
import { ReuseResults } from './scheduling/reuse-results.js';
import { ScheduleJobs } from './scheduling/schedule-jobs.js';
import { SendMessages } from './scheduling/send-messages.js';
import { Clock, Store } from './store.js';
import { Log } from './log.js';
import { Work } from './work.js';
import { describeIssues } from './api/describe-issues.js';

/** Every part of a coordinator, on one page. */
@Module({
  controllers: [
    BuildsController,
    LogsController,
    ArtifactsController,
    EventsController,
    AgentsController,
    AccessController,
    CheckpointsController,
    FarmController,
    GatewayController,
  ],
  providers: [
    // Decides
    SubmitBuilds,
    TakeoversOfBuild,
    PreviewBuild,
    PlanFingerprints,
    BuildActions,
    BuildViews,
    ExplainBuild,
    ReadsOfBuild,
    AgentActions,
    AgentHistories,
    AgentViews,
    CheckpointViews,
    TrieViews,
    PinCheckpoints,
    CompareCheckpoints,
    DropCheckpoints,
    // Talks to agents
    AgentSessions,
    Claims,
    TakeReports,
    EndAttempts,
    AttemptLogs,
    AttemptRoom,
    AttemptUploads,
    PeerCertificates,
    Transfers,
    AskFingerprints,
    AskListings,
    // Runs by itself: see loops/loops.ts
    Loops,
    Duty,
    ScheduleJobs,
    ReuseResults,
    HandOvers,
    SendMessages,
    Replication,
    SettleKeys,
    AttemptCopies,
    FindLost,
    CollectBuilds,
    CollectCheckpoints,
    ForgetInboxes,
    // Carries
    Work,
    EventFeed,
    Metrics,
    RequestLimit,
    Clock,
    // In front of every route
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_FILTER, useClass: ErrorFilter },
    {
      provide: APP_PIPE,
      useFactory: () =>
        new StandardSchemaValidationPipe({
          exceptionFactory: (issues) =>
            new FarmError(
              'INVALID',
              'the request is not of the form the API takes',
              null,
              describeIssues(issues),
            ),
        }),
    },
  ],
})
export class CoordinatorModule {
  static on(config: CoordinatorConfig, resources: Resources, logger: Logger): DynamicModule {
    const { database, redis, wakes, blobs, logs, certificate } = resources;
    return {
      module: CoordinatorModule,
      providers: [
        { provide: CoordinatorConfig, useValue: config },
        { provide: Log, useValue: logger },
        { provide: Store, useValue: new Store(database) },
        { provide: BlobStore, useValue: blobs },
        { provide: LogStore, useValue: logs },
        { provide: FarmCertificate, useValue: certificate },
        { provide: FarmRedis, useValue: redis },
        { provide: Wakes, useValue: wakes },
        { provide: DispatchQueue, useValue: new DispatchQueue(redis, wakes) },
        { provide: AgentInbox, useValue: new AgentInbox(redis, wakes) },
      ],
    };
  }
}
