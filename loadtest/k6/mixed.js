// What members do, as `loadtest run mixed` has them:
//   k6 run -e BASE=http://127.0.0.1:8000 -e RATE=200 -e DURATION=30s loadtest/k6/mixed.js
import { options as openModel, send, setup } from './population.js';

export { setup };
export const options = openModel();

// Parts per hundred; a test compares them with the driver's.
const MIX = [
  ['feed', 35],
  ['profile', 30],
  ['product', 15],
  ['post', 10],
  ['product-list', 3],
  ['post-list', 2],
  ['create-post', 3],
  ['change-profile', 2],
];

export default function (population) {
  send(MIX, population);
}
