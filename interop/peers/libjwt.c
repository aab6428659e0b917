// libjwt, for C.
#include <jansson.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *job, const char *member) {
  return json_string_value(json_object_get(job, member));
}

static json_t *error(const char *why) { return json_pack("{s:s}", "error", why); }

// The secret, or else the PEM text.
static const char *key(const json_t *job) {
  const char *secret = text(job, "secret");
  return secret ? secret : text(job, "pem");
}

static json_t *sign(const json_t *job) {
  jwt_alg_t alg = jwt_str_alg(text(job, "alg"));
  if (alg == JWT_ALG_INVAL) return error("no such algorithm");
  const char *of = alg == JWT_ALG_NONE ? NULL : key(job);
  char *claims = json_dumps(json_object_get(job, "claims"), JSON_COMPACT);
  jwt_t *jwt = NULL;
  char *token = NULL;
  json_t *said = error("it cannot be signed");
  if (jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, claims) == 0 &&
      jwt_add_header(jwt, "kid", text(job, "kid")) == 0 &&
      jwt_set_alg(jwt, alg, (const unsigned char *)of, of ? (int)strlen(of) : 0) == 0 &&
      (token = jwt_encode_str(jwt)) != NULL) {
    json_decref(said);
    said = json_pack("{s:s}", "token", token);
  }
  free(token);
  jwt_free(jwt);
  free(claims);
  return said;
}

static json_t *verify(const json_t *job) {
  const char *of = key(job);
  jwt_t *jwt = NULL;
  if (jwt_decode(&jwt, text(job, "token"), (const unsigned char *)of, (int)strlen(of)) != 0)
    return error("it cannot be verified");
  json_t *said = error("another algorithm");
  if (jwt_get_alg(jwt) == jwt_str_alg(text(job, "alg"))) {
    char *claims = jwt_get_grants_json(jwt, NULL);
    json_decref(said);
    said = json_pack("{s:o}", "claims", json_loads(claims, 0, NULL));
    free(claims);
  }
  jwt_free(jwt);
  return said;
}

int main(void) {
  char *line = NULL;
  size_t size = 0;
  while (getline(&line, &size, stdin) > 0) {
    json_t *job = json_loads(line, 0, NULL);
    json_t *said = strcmp(text(job, "do"), "sign") == 0 ? sign(job) : verify(job);
    char *out = json_dumps(said, JSON_COMPACT);
    puts(out);
    fflush(stdout);
    free(out);
    json_decref(said);
    json_decref(job);
  }
  free(line);
  return 0;
}
