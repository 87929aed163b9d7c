import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { alterUserScramCredentialsV0, Connection } from '@platformatic/kafka';
import kafkajs from 'kafkajs';

/** As the protocol numbers it. */
const SCRAM_SHA_256 = 1;
const ITERATIONS = 4096;

/** Sets the password of an account for SCRAM-SHA-256; null takes the account away. @param broker `host:port`, of a listener without login */
export async function setScramPassword(broker: string, user: string, password: string | null): Promise<void> {
  const [host = '', port = ''] = broker.split(':');
  const connection = new Connection('test-support');
  await connection.connect(host, Number(port));
  try {
    const account = { name: user, mechanism: SCRAM_SHA_256 };
    const salt = randomBytes(16);
    const upserted =
      password === null
        ? []
        : [
            {
              ...account,
              iterations: ITERATIONS,
              salt,
              saltedPassword: pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256'),
            },
          ];
    const { results } = await alterUserScramCredentialsV0.api.async(
      connection,
      password === null ? [account] : [],
      upserted,
    );
    for (const { errorCode, errorMessage } of results)
      if (errorCode !== 0) throw new Error(`credentials of ${user}: ${errorCode} ${errorMessage ?? ''}`);
  } finally {
    await connection.close();
  }
}

/** Denies an account to write to a topic, or takes that back. @param broker `host:port`, of a listener without login */
export async function denyWrite(broker: string, user: string, topic: string, denied: boolean): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: [broker], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  const rule = {
    resourceType: kafkajs.AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: kafkajs.AclOperationTypes.WRITE,
    permissionType: kafkajs.AclPermissionTypes.DENY,
  };
  await admin.connect();
  try {
    if (denied) await admin.createAcls({ acl: [rule] });
    else await admin.deleteAcls({ filters: [rule] });
  } finally {
    await admin.disconnect();
  }
}
