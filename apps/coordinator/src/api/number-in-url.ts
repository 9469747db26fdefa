import { z } from 'zod';

export const numberInUrl = z
  .string()
  .regex(/^\d{1,16}$/, 'expected a number')
  .transform(Number);
