const PREFIX = 'OUTBOX_RELAY_';

/** The environment variable that overrides an option: `capture.pollInterval` is `OUTBOX_RELAY_CAPTURE_POLL_INTERVAL`. */
export function environmentName(path: readonly string[]): string {
  return PREFIX + path.map((key) => key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()).join('_');
}

/** Whether a variable has the form of an override. */
export function isOverrideName(name: string): boolean {
  return name.startsWith(PREFIX);
}
