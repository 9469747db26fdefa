/** A node:http server that does nothing with what it is sent: what the transport alone costs. Argument: its socket. */
import { createServer } from 'node:http';

createServer((request, response) => {
  request.resume().on('end', () => response.end('{}'));
}).listen(process.argv[2]);
