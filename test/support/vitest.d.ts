import type { Services } from './service-state.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    services: Services;
  }
}
