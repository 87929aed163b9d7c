import type pg from 'pg';
import {
  type PostgresMajor,
  type StartedPostgres,
  type StartedStandby,
  startPostgres,
} from '../support/services/postgres.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { type ProxyTarget, TcpProxy } from '../support/services/tcp-proxy.ts';
import { until } from '../support/services/until.ts';

/** The server that is the primary at the time, behind an address that stays the same when another takes over. */
export class DatabaseServer {
  /** What relays connect through: where the network fails. */
  readonly relayProxy: TcpProxy;
  readonly #writerProxy: TcpProxy;
  #primary: StartedPostgres;
  #standby: StartedStandby | undefined;

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
    const standby = await this.#streamingStandby();
    // a fast stop sends the standby all there is
    await this.#primary.stop('fast');
    await this.#succeed(standby);
  }

  /**
   * Kills the primary for good after its standby has been cut off for so long (0: what is on its way then is lost), and
   * promotes the standby, which lacks what was committed meanwhile. A new standby takes the place of the old primary.
   */
  async failOver(lagMs: number): Promise<void> {
    const standby = await this.#streamingStandby();
    if (lagMs > 0) {
      await standby.query("ALTER SYSTEM SET primary_conninfo = ''");
      await standby.query('SELECT pg_reload_conf()');
      const receives = async (): Promise<boolean> =>
        (await standby.query('SELECT FROM pg_stat_wal_receiver')).length === 0;
      await until(receives, { what: 'the standby to be cut off' });
      await delay(lagMs);
    }
    await this.#primary.kill();
    await this.#succeed(standby);
    this.#standby = await standby.startStandby();
  }

  /** Does away with a standby that a failover has left. */
  async dropStandby(): Promise<void> {
    if (this.#standby === undefined) return;
    await this.#standby.dispose();
    this.#standby = undefined;
    const drop = 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active';
    await until(async () => (await this.query(`${drop} AND slot_type = 'physical'`)).length > 0, {
      what: 'the slot of the standby to be dropped',
    });
  }

  async dispose(): Promise<void> {
    await Promise.all([this.relayProxy.dispose(), this.#writerProxy.dispose()]);
    await this.#standby?.dispose();
    await this.#primary.dispose();
  }

  /** The one that a failover has left, if it is well; else a new one. */
  async #streamingStandby(): Promise<StartedStandby> {
    const streams = `SELECT FROM pg_stat_replication WHERE application_name = 'walreceiver' AND state = 'streaming'`;
    const isStreaming = async (): Promise<boolean> => (await this.query(streams)).length === 1;
    if (!(await isStreaming())) await this.dropStandby();
    this.#standby ??= await this.#primary.startStandby();
    await until(isStreaming, { what: 'the standby to stream' });
    return this.#standby;
  }

  /** Promotes a standby, leads everybody there, and removes the old primary. */
  async #succeed(standby: StartedStandby): Promise<void> {
    const old = this.#primary;
    await standby.promote();
    this.#primary = standby;
    this.#standby = undefined;
    for (const proxy of [this.relayProxy, this.#writerProxy]) proxy.target = targetOf(standby);
    await old.dispose();
  }
}

function targetOf({ host, port }: StartedPostgres): ProxyTarget {
  return { host, port };
}
