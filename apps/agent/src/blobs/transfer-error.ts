/** An input could not be had, or an output not be delivered, although the coordinator answers. */
export class TransferError extends Error {
  override readonly name = 'TransferError';
}
