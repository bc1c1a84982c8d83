"""Verifies webhooks with the reference library of Standard Webhooks.

Each line of the input is {"secret", "headers", "body"}; each line of the output is "ok" or what is wrong.
"""

import json
import sys

from standardwebhooks import Webhook

for line in sys.stdin:
    given = json.loads(line)
    try:
        Webhook(given["secret"]).verify(given["body"], given["headers"])
        print("ok", flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
