// Visitors without an account, as `loadtest run browse` has them:
//   k6 run -e BASE=http://127.0.0.1:8000 -e RATE=200 -e DURATION=30s loadtest/k6/browse.js
import { options as openModel, send, setup } from './population.js';

export { setup };
export const options = openModel();

// Parts per hundred; a test compares them with the driver's.
const MIX = [
  ['profile', 40],
  ['product', 25],
  ['product-list', 10],
  ['post', 15],
  ['post-list', 10],
];

export default function (population) {
  send(MIX, population);
}
