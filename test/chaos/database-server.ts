import type pg from 'pg';
import { type PostgresMajor, type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import { type ProxyTarget, TcpProxy } from '../support/services/tcp-proxy.ts';
import { until } from '../support/services/until.ts';

/** The server that is the primary at the time, behind an address that stays the same when another takes over. */
export class DatabaseServer {
  /** What relays connect through: where the network fails. */
  readonly relayProxy: TcpProxy;
  readonly #writerProxy: TcpProxy;
  #primary: StartedPostgres;

  private constructor(primary: StartedPostgres, relayProxy: TcpProxy, writerProxy: TcpProxy) {
    this.#primary = primary;
    this.relayProxy = relayProxy;
    this.#writerProxy = writerProxy;
  }

  /** @param version default `$PG_VERSION` or 18 */
  static async start(version?: PostgresMajor): Promise<DatabaseServer> {
    const primary = await startPostgres(version === undefined ? {} : { version });
    const target = targetOf(primary);
    return new DatabaseServer(primary, await TcpProxy.start(target), await TcpProxy.start(target));
  }

  /** The server itself, to be stopped, killed and paused. */
  get primary(): StartedPostgres {
    return this.#primary;
  }

  /** For everybody but relays. */
  urlOf(database: string): string {
    return `postgres://postgres@${this.#writerProxy.address}/${database}`;
  }

  query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
    return this.#primary.query<Row>(sql);
  }

  /** Starts a standby, ends the primary once the standby has all of it, promotes the standby, and leads everybody there. */
  async switchOver(): Promise<void> {
    const old = this.#primary;
    const standby = await old.startStandby();
    const streams = `SELECT FROM pg_stat_replication WHERE application_name = 'walreceiver' AND state = 'streaming'`;
    await until(async () => (await old.query(streams)).length === 1, { what: 'the standby to stream' });
    // a fast stop sends the standby all there is
    await old.stop('fast');
    await standby.promote();
    this.#primary = standby;
    for (const proxy of [this.relayProxy, this.#writerProxy]) proxy.target = targetOf(standby);
    await old.dispose();
  }

  async dispose(): Promise<void> {
    await Promise.all([this.relayProxy.dispose(), this.#writerProxy.dispose()]);
    await this.#primary.dispose();
  }
}

function targetOf({ host, port }: StartedPostgres): ProxyTarget {
  return { host, port };
}
