export { ApiError } from './api-error.js';
export { fetchFarmCa, WrongFarmCa } from './fetch-farm-ca.js';
export { HttpClient } from './http-client.js';
export type { CallOptions, Download, HttpClientOptions } from './http-client.js';
export { retryDelays } from './retry-delays.js';
export type { RetryDelays } from './retry-delays.js';
export type { ServerEvent } from './server-events.js';
export { Unreachable } from './unreachable.js';
