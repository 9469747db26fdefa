export { describeAgentChange } from './describe-agent-change.js';
export { formatByteDifference, formatBytes } from './byte-count.js';
export { describeFileChange } from './describe-file-change.js';
export { describeOutcome } from './describe-outcome.js';
export { describeTakeover } from './describe-takeover.js';
export { describeTransfer } from './describe-transfer.js';
export { formatDuration, parseDuration } from './durations.js';
export { describePlan } from './plan-sum.js';
export { describeFate, describeSum, sumLine, type FatedStep } from './step-fates.js';
export { describeEnd, isAtRest, jobLabels } from './job-wording.js';
export { describeLogGap, readLogEnd, type LogEnd } from './log-end.js';
export { MAX_LOG_HEAD, readLogHead, saysLoss, type LogHead } from './log-head.js';
export {
  describeStandings,
  jobsByVariant,
  optionalVariants,
  standingOf,
  variantStandings,
  type VariantStanding,
  type VariantState,
} from './variant-standing.js';
export {
  describeWarning,
  headOf,
  rowsOf,
  startModel,
  viewOf,
  withBuild,
  withConnection,
  withEvent,
  type StepMark,
  type WatchModel,
  type WatchRow,
  type WatchView,
} from './watch-model.js';
