"""Messages of an SQS queue for a parent process: `python -m storage.sqs URL`.

Prints each message as a line of JSON (`receipt`, `body`) and takes lines of JSON on stdin:
`{"done": receipt}` deletes a message, `{"later": receipt, "seconds": 60}` hides it for a while. One
that neither is said of comes again when its time is over. A queue that cannot be read for a while
is told once (`waits`), and once more when it can be (`goes_on`). Ends with its stdin.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from longtake.errors import InputForbidden, InputNotFound, LongtakeError
from storage.s3_client import code_of, is_passing

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_S = 120
"""How long a message is ours before others see it again."""
WAIT_S = 10
AT_ONCE = 10
UNDER_WAY = 2 * AT_ONCE
"""Messages that are told and not settled. Were they more than are settled while they are hidden,
they would come again and again, and their receipts be worth nothing."""
AGAIN_S = 1.0
AGAIN_AT_MOST_S = 30.0


def main() -> None:
    """Run until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it, by its stdin
    url = sys.argv[1]
    region = boto3.session.Session().region_name or "us-east-1"
    config = Config(retries={"mode": "standard", "total_max_attempts": 2})  # then we wait
    client = boto3.session.Session().client("sqs", region_name=region, config=config)
    room = threading.Semaphore(UNDER_WAY)
    threading.Thread(target=_receive, args=(client, url, room), daemon=True).start()
    for line in sys.stdin:
        _settle(client, url, json.loads(line))
        room.release()


def _receive(client: SQSClient, url: str, room: threading.Semaphore) -> None:
    try:
        while True:
            for _ in range(AT_ONCE):
                room.acquire()
            messages = _next(client, url)
            for message in messages:
                _tell({"receipt": message["ReceiptHandle"], "body": message["Body"]})
            for _ in range(AT_ONCE - len(messages)):
                room.release()
    except (BotoCoreError, ClientError) as error:
        _tell({"error": _told(url, error)})


def _next(client: SQSClient, url: str) -> list[MessageTypeDef]:
    """The next messages, however long the queue cannot be read. Raises what does not pass."""
    pause_s = AGAIN_S
    while True:
        try:
            answer = client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=AT_ONCE,
                WaitTimeSeconds=WAIT_S,
                VisibilityTimeout=HIDDEN_S,
            )
        except (BotoCoreError, ClientError) as error:
            if not is_passing(error):
                raise
            if pause_s == AGAIN_S:
                _tell({"waits": _told(url, error)["message"]})
            time.sleep(pause_s)
            pause_s = min(AGAIN_AT_MOST_S, 2 * pause_s)
        else:
            if pause_s > AGAIN_S:
                _tell({"goes_on": f"the queue {url} is read again"})
            return answer.get("Messages", [])


def _settle(client: SQSClient, url: str, said: dict[str, object]) -> None:
    try:
        if "done" in said:
            client.delete_message(QueueUrl=url, ReceiptHandle=str(said["done"]))
        else:
            client.change_message_visibility(
                QueueUrl=url,
                ReceiptHandle=str(said["later"]),
                VisibilityTimeout=int(str(said["seconds"])),
            )
    except (BotoCoreError, ClientError) as error:
        # It comes again, and its job is found.
        print(f"a message of {url} could not be settled: {error}", file=sys.stderr)  # noqa: T201


def _tell(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)  # noqa: T201


def _told(url: str, error: Exception) -> dict[str, str]:
    code = code_of(error)
    missing = "NonExistentQueue" in code or "QueueDoesNotExist" in code
    kind: type[LongtakeError] = InputNotFound if missing else InputForbidden
    return {"type": kind.__name__, "message": f"the queue {url} cannot be read: {error}"}


if __name__ == "__main__":
    main()
