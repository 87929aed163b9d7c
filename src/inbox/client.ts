/** A row, as `pg` gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** What a statement has brought about. */
export interface QueryResult {
  readonly rows: Row[];
  readonly rowCount: number | null;
  /** The command tag's word: `COMMIT`, `ROLLBACK`, `INSERT`. */
  readonly command: string;
}

/** A statement and its parameters. */
export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

/** Whatever runs a statement: a client or a pool of `pg`. */
export interface Queryable {
  query(statement: string | Statement): Promise<QueryResult>;
}

/** A client checked out of a pool: a `PoolClient` of `pg` is one. */
export interface InboxClient extends Queryable {
  release(destroy?: boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'notice', listener: (notice: { readonly code?: string | undefined }) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'notice', listener: (notice: { readonly code?: string | undefined }) => void): unknown;
}

/** Where clients come from: a `Pool` of `pg` is one. It has to be as large as messages are handled at a time. */
export interface InboxPool<Client extends InboxClient> {
  readonly connect: {
    (): Promise<Client>;
    /** Not called: with a second signature, as a `Pool` has it, the kind of its clients is inferred. */
    (...args: never[]): unknown;
  };
  /** Tells that an idle client has lost its session. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}
