"""PyJWT, for Python, with keys that `cryptography` has parsed."""

import json
import sys
from time import process_time_ns

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def per_call(call, enough):
    """Nanoseconds of processor time for one call, over as many as fill the time."""
    calls = 1
    while True:
        began = process_time_ns()
        for _ in range(calls):
            call()
        took = process_time_ns() - began
        if took >= enough:
            return took / calls
        calls *= 10 if took * 10 < enough else 2


for line in sys.stdin:
    job = json.loads(line)
    secret, token, algorithms = job.get("secret"), job["token"], [job["alg"]]
    key = secret.encode() if secret else load_pem_public_key(job["pem"].encode())
    took = per_call(lambda: jwt.decode(token, key, algorithms=algorithms), job["for_ms"] * 1e6)
    print(json.dumps({"ns": took}), flush=True)
