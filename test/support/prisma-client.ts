/**
 * A Prisma client for a schema with one model, `Order`, in the table `orders`: its configuration, in prisma-orders.json, is what
 * `prisma generate` has written (generated/internal/class.ts). That command is left out of the tests, since it fetches a binary
 * from a host of its own.
 */
import { createRequire } from 'node:module';
import type { PrismaPg } from '@prisma/adapter-pg';
import { type GetPrismaClientConfig, getPrismaClient, type ITXClientDenyList } from '@prisma/client/runtime/client';
import generated from './prisma-orders.json' with { type: 'json' };

interface PrismaClient {
  $queryRawUnsafe<T = unknown>(query: string, ...values: unknown[]): Promise<T>;
  readonly order: { create(order: { data: { id: number } }): Promise<unknown> };
  $transaction<T>(work: (tx: PrismaTransactionClient) => Promise<T>, options: { timeout: number }): Promise<T>;
  $extends(extension: object): unknown;
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
}

/** As the generated `Prisma.TransactionClient` is defined. */
export type PrismaTransactionClient = Omit<PrismaClient, ITXClientDenyList>;

/** What Node has, and its types do not tell. */
const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (bytes: Buffer) => object } };

/** A part of Prisma that has no types, since only generated code is to load it. */
const compiler = (part: string): unknown =>
  createRequire(import.meta.url)(`@prisma/client/runtime/query_compiler_fast_bg.postgresql${part}`);

const CONFIG: GetPrismaClientConfig = {
  ...generated,
  // Its type asks for more than its command writes.
  runtimeDataModel: generated.runtimeDataModel as unknown as GetPrismaClientConfig['runtimeDataModel'],
  previewFeatures: [],
  activeProvider: 'postgresql',
  compilerWasm: {
    getRuntime: () => Promise.resolve(compiler('.js') as never),
    getQueryCompilerWasmModule: () => {
      const { wasm } = compiler('.wasm-base64.js') as { readonly wasm: string };
      return Promise.resolve(new WebAssembly.Module(Buffer.from(wasm, 'base64')));
    },
    importName: './query_compiler_fast_bg.js',
  },
};

/** A client over `pg`, by Prisma's own adapter. */
export function prismaClient(adapter: PrismaPg): PrismaClient {
  const Client = getPrismaClient(CONFIG);
  return new Client({ adapter }) as unknown as PrismaClient;
}
