// Has Longtake transcode a talk: node publish.js IN OUT. Temporal's own client is all it needs.

import { Client, Connection, WorkflowFailedError } from '@temporalio/client';

interface Progress {
  state: string;
  stage: string | null;
  fraction: number;
}

interface JobResult {
  state: string;
  outputs: { uri: string; role: string; bytes: number; sha256: string }[];
}

async function publish(source: string, target: string): Promise<number> {
  const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';
  let connection: Connection;
  try {
    connection = await Connection.connect({ address, connectTimeout: '5s' });
  } catch {
    // The draft stays where it was: nothing falls back to encoding here.
    console.error(`Longtake does not answer at ${address}: the talk stays a draft; try again`);
    return 3;
  }
  const client = new Client({ connection });
  const handle = await client.workflow.start('Transcode', {
    taskQueue: 'longtake',
    workflowId: 'typescript-talk',
    workflowIdConflictPolicy: 'USE_EXISTING', // a second click joins the same job
    args: [{ input: source, output: target, preset: 'web-480p', labels: { app: 'talks' } }],
  });
  const progress = await handle.query<Progress>('progress');
  console.error(`${progress.state}, ${Math.round(100 * progress.fraction)} %`);
  try {
    const result = (await handle.result()) as JobResult;
    console.log(JSON.stringify(result.outputs[0]));
    return 0;
  } catch (error) {
    // The type of the cause is one of Longtake's errors, its message says what to do.
    const cause = error instanceof WorkflowFailedError ? error.cause : error;
    console.error(`not published: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  } finally {
    await connection.close();
  }
}

publish(process.argv[2], process.argv[3]).then((code) => process.exit(code));
