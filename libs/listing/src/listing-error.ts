/** What came is no listing, is cut short, or is larger than any tree's. */
export class ListingError extends Error {
  override readonly name = 'ListingError';
  readonly code = 'BAD_LISTING';
}
