export * from './access.js';
export * from './agent-protocol.js';
export * from './events.js';
export * from './farm-error.js';
export * from './http.js';
export * from './ids.js';
export * from './states.js';
