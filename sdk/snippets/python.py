"""Tells maitred who is logged in. Python, with `pip install pyjwt`.

MAITRED_KEY and MAITRED_SECRET: what `maitred key create` printed; the secret is
used whole, as text. MAITRED_AUDIENCE: the agent's id, in staging with `/staging`
behind it.
"""

import os
import time

import jwt


def chat_token(user) -> str:
    """A token for one user, good for ten minutes."""
    now = int(time.time())
    claims = {
        "sub": str(user.id),
        "email": user.email,
        "name": user.name,
        "aud": os.environ["MAITRED_AUDIENCE"],
        "iat": now,
        "exp": now + 600,
    }
    key = os.environ["MAITRED_SECRET"]
    return jwt.encode(claims, key, algorithm="HS256", headers={"kid": os.environ["MAITRED_KEY"]})


def answer_chat_token(user):
    """Answers GET /chat-token, as Flask wants it. The user comes from your own
    login session, never from the request's parameters; None is nobody."""
    headers = {"Cache-Control": "private, no-store", "Content-Type": "text/plain"}
    return (chat_token(user), 200, headers) if user else ("", 204, headers)
