import type pg from 'pg';

/** What `pg` can do and its types do not tell. */
interface CopyConnection extends pg.Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** Runs one `COPY .. FROM STDIN` with these values, in the text format. @throws what the server reports */
export async function copyIn(
  client: pg.Client,
  statement: string,
  rows: readonly (readonly string[])[],
): Promise<void> {
  const text = rows.map((values) => `${values.map(escapeValue).join('\t')}\n`).join('');
  await new Promise<void>((resolve, reject) => {
    client.query(new CopyIn(statement, Buffer.from(text), resolve, reject));
  });
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}

class CopyIn implements pg.Submittable {
  readonly #statement: string;
  readonly #data: Buffer;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(statement: string, data: Buffer, resolve: () => void, reject: (error: Error) => void) {
    this.#statement = statement;
    this.#data = data;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: pg.Connection): void {
    connection.query(this.#statement);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(this.#data);
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {
    // What counts is the ReadyForQuery behind it.
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }

  handleError(error: Error): void {
    this.#reject(error);
  }
}
