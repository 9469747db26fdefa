export { bootImage, type BootOptions, type BootOutcome } from './boot-image.js';
export { ConsoleReader, type ConsoleEvent } from './console-reader.js';
