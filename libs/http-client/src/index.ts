export { ApiError } from './api-error.js';
export { fetchFarmCa, WrongFarmCa } from './fetch-farm-ca.js';
export { HttpClient } from './http-client.js';
export type { CallOptions, Download, HttpClientOptions } from './http-client.js';
export { Unreachable } from './unreachable.js';
