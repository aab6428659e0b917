#!/bin/sh
# A token by hand, for trying things: sh shell.sh USER_ID EMAIL [NAME]
#
# MAITRED_KEY, MAITRED_SECRET, MAITRED_AUDIENCE: as in the other snippets. Not for
# a server: while openssl runs, the secret is in the list of processes.
set -eu
part() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
now=$(date +%s)
header=$(printf '{"alg":"HS256","typ":"JWT","kid":"%s"}' "$MAITRED_KEY" | part)
claims=$(printf '{"sub":"%s","email":"%s","name":"%s","aud":"%s","iat":%d,"exp":%d}' \
  "$1" "$2" "${3:-}" "$MAITRED_AUDIENCE" "$now" "$((now + 600))" | part)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -hmac "$MAITRED_SECRET" -binary | part)
printf '%s.%s.%s\n' "$header" "$claims" "$signature"
