import { textOf } from '../ids.js';

/** What somebody gave as the reason, for the record. */
export const Why = textOf(500).default('');
