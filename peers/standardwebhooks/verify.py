"""Checks webhooks as a receiver would: reads a JSON list of (secret, headers, body), says of each what is wrong or "".

`python -m peers.standardwebhooks.verify < requests.json`; the last line written is the list.
"""

from __future__ import annotations

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def main() -> None:
    said = []
    for secret, headers, body in json.load(sys.stdin):
        try:
            Webhook(secret).verify(body, headers)
        except WebhookVerificationError as error:
            said.append(str(error))
        else:
            said.append("")
    print(json.dumps(said))


if __name__ == "__main__":
    main()
