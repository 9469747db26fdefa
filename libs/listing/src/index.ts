export { ChangesByFolder, type FolderChanges } from './folder-changes.js';
export { changedParts, pairEntries, type ChangedPart, type EntryPair } from './compare-entries.js';
export { comparePackages, type PackageDifference } from './compare-packages.js';
export type { EntryType, ListedEntry, ListedPackage } from './listed-entry.js';
export { listTree, type KeptFile } from './list-tree.js';
export { ListingError } from './listing-error.js';
export { entryLine, listingEnd, listingHead, readListing, type ListingEnd } from './listing-text.js';
export { DPKG_STATUS, MOST_STATUS_BYTES, parseDpkgStatus } from './parse-dpkg-status.js';
export { shownName } from './shown-name.js';
