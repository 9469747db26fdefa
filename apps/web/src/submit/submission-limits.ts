/** What the API takes of a submission, see libs/contracts: its schemas would bring zod along. The spec compares them. */
export const LIMITS = {
  fileBytes: 4 * 1024 * 1024,
  files: 500,
  bodyBytes: 16 * 1024 * 1024,
} as const;
