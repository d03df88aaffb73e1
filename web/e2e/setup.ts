/** Starts one server for all tests, unless BASE_URL names one that runs. */
import { start } from './server';

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env['BASE_URL']) return undefined;
  const folder = process.env['BINARY_DIR'];
  if (!folder) throw new Error('say where the binary is: BINARY_DIR, or BASE_URL of a server that runs');
  const server = await start(folder);
  process.env['BASE_URL'] = server.origin;
  return server.stop;
}
