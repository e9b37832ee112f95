"""Messages of an SQS queue for a parent process: `python -m storage.sqs URL`.

Prints each message as a line of JSON (`receipt`, `body`) and takes lines of JSON on stdin:
`{"done": receipt}` deletes a message, `{"later": receipt, "seconds": 60}` hides it for a while. One
that neither is said of comes again when its time is over. Ends with its stdin.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from longtake.errors import InputForbidden, InputNotFound, LongtakeError, StorageUnavailable

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

HIDDEN_S = 120
"""How long a message is ours before others see it again."""
WAIT_S = 10
AT_ONCE = 10


def main() -> None:
    """Run until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it, by its stdin
    url = sys.argv[1]
    region = boto3.session.Session().region_name or "us-east-1"
    client = boto3.session.Session().client("sqs", region_name=region)
    threading.Thread(target=_receive, args=(client, url), daemon=True).start()
    for line in sys.stdin:
        _settle(client, url, json.loads(line))


def _receive(client: SQSClient, url: str) -> None:
    while True:
        try:
            answer = client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=AT_ONCE,
                WaitTimeSeconds=WAIT_S,
                VisibilityTimeout=HIDDEN_S,
            )
        except (BotoCoreError, ClientError) as error:
            _tell({"error": _told(url, error)})
            return
        for message in answer.get("Messages", []):
            _tell({"receipt": message["ReceiptHandle"], "body": message["Body"]})


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
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    kind: type[LongtakeError] = StorageUnavailable
    if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
        kind = InputNotFound
    elif "Denied" in code or "InvalidClientTokenId" in code or "Signature" in code:
        kind = InputForbidden
    return {"type": kind.__name__, "message": f"the queue {url} cannot be read: {error}"}


if __name__ == "__main__":
    main()
