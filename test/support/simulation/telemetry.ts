import type { DestinationTelemetry, RelayTelemetry } from '../../../src/relay/telemetry.ts';

/** Tells nobody, but for stragglers. */
export function noTelemetry(onStragglers: (rows: number) => void = () => undefined): RelayTelemetry {
  const nothing = (): void => undefined;
  const destination: DestinationTelemetry = {
    transition: nothing,
    circuit: nothing,
    opened: nothing,
    openFailed: nothing,
    acknowledged: nothing,
    retrying: nothing,
    forgotten: nothing,
    setAside: nothing,
    deadLetterFailed: nothing,
    passEnded: nothing,
    skipped: nothing,
    failed: nothing,
  };
  return {
    destination: () => destination,
    settling: { deleted: nothing, notYetVisible: nothing, missing: nothing, failed: nothing },
    streamOpened: nothing,
    streamEnded: nothing,
    streamClosed: nothing,
    streamUnavailable: nothing,
    streamed: nothing,
    stragglers: onStragglers,
    failed: nothing,
  };
}
