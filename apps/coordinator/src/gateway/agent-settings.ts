import { MAX_LOG_CHUNK_BYTES, type AgentSettings } from '#libs/contracts';
import type { CoordinatorConfig } from '../config.js';

/** A watcher is to see a line within a second of its being written. */
const LOG_FLUSH_MS = 250;
/** Reached only by an agent that has much to catch up with: each call costs a commit, which waits for the disk. */
const LOG_CHUNK_BYTES = MAX_LOG_CHUNK_BYTES;
/** Large enough for throughput, small enough that a cut costs little. */
const UPLOAD_CHUNK_BYTES = 8 * 1024 * 1024;
/** Proxies tend to cut what is silent for 30 s or a minute. */
const CLAIM_WAIT_MS = 25_000;

/** What agents are told to go by. */
export function agentSettings(config: CoordinatorConfig): AgentSettings {
  return {
    heartbeatMs: config.heartbeatMs,
    selfStopMs: config.selfStopMs,
    claimWaitMs: CLAIM_WAIT_MS,
    logFlushMs: LOG_FLUSH_MS,
    logChunkBytes: LOG_CHUNK_BYTES,
    maxLogBytes: config.maxLogBytes,
    uploadChunkBytes: UPLOAD_CHUNK_BYTES,
  };
}
