import { setMaxListeners } from 'node:events';

/** A controller whose signal as many wait on as there are messages in flight: Node takes more than ten for a leak. */
export function sharedAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
