export { FarmCa, FarmCaUnreadable, openFarmCa } from './farm-ca.js';
export type { ServerCertificate } from './farm-ca.js';
