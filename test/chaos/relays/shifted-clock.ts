/**
 * Loaded into a relay before all else (`--import`): shifts its wall clock, while its monotonic clock goes on. Each
 * SIGUSR2 is a jump: ten minutes ahead, ten minutes behind, and right again.
 */
const SHIFTS_MS = [0, 600_000, -600_000];
const RightDate = Date;

let jumps = 0;
const now = (): number => RightDate.now() + SHIFTS_MS[jumps % SHIFTS_MS.length]!;

globalThis.Date = new Proxy(RightDate, {
  construct: (target, values: unknown[]) => Reflect.construct(target, values.length === 0 ? [now()] : values) as object,
  apply: () => new RightDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
});
process.on('SIGUSR2', () => {
  jumps++;
});
