export { FarmCa, FarmCaUnreadable, openFarmCa } from './farm-ca.js';
export { makePeerCa, PeerCa, type PeerCertificate } from './peer-ca.js';
export type { ServerCertificate } from './farm-ca.js';
