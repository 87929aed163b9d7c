import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import { LoginGate } from '../../src/postgres/login-gate.ts';

const OLD = { user: 'relay', password: 'old', tls: null };
const refused = new RelayError('postgres_authentication', 'refused', { remedy: 'Mend it.' });

describe('the gate before logins', () => {
  const stage = () => {
    const clock = { now: 1_000 };
    return {
      clock,
      gate: new LoginGate(
        () => clock.now,
        () => 0,
      ),
    };
  };

  it('is open until a login is refused; then lets one through after each pause, which grows', () => {
    const { clock, gate } = stage();
    gate.pass(OLD);
    for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      gate.failed(OLD, refused);
      clock.now += pauseMs - 1;
      expect(() => gate.pass(OLD)).toThrow(expect.objectContaining({ code: refused.code, remedy: 'Mend it.' }));
      clock.now += 1;
      gate.pass(OLD);
    }
    gate.accepted();
    gate.failed(OLD, refused);
    clock.now += 1_000;
    gate.pass(OLD);
  });

  it('lets other credentials through at once', () => {
    const { gate } = stage();
    gate.failed(OLD, refused);
    gate.pass({ ...OLD, password: 'new' });
    expect(() => gate.pass(OLD)).toThrow('refused');
  });

  it('takes no notice of a server that is away', () => {
    const { gate } = stage();
    gate.failed(OLD, new RelayError('postgres_unreachable', 'away'));
    gate.pass(OLD);
  });
});
