"""PyJWT, for Python."""

import json
import sys

import jwt


def sign(job):
    key = None if job["alg"] == "none" else job.get("secret", job.get("pem"))
    return {"token": jwt.encode(job["claims"], key, algorithm=job["alg"], headers={"kid": job["kid"]})}


def verify(job):
    key = job.get("secret") or jwt.PyJWK.from_dict(job["jwk"]).key
    # Whom a token is for is asked elsewhere; here it is whether it can be read.
    claims = jwt.decode(job["token"], key, algorithms=[job["alg"]], options={"verify_aud": False})
    return {"claims": claims}


for line in sys.stdin:
    job = json.loads(line)
    try:
        said = {"sign": sign, "verify": verify}[job["do"]](job)
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
