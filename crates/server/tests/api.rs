//! The API, as a client meets it: the router in-process, a real database.

#[cfg(test)]
mod api {
    mod routes;
    mod support;

    mod assurance;
    mod claims;
    mod codes;
    mod conversations;
    mod costs;
    mod events;
    mod forget;
    mod isolation;
    mod key_sets;
    mod keys;
    mod knowledge;
    mod limits;
    mod marks;
    mod merges;
    mod nodes;
    mod one_time;
    mod operator_access;
    mod operator_agents;
    mod operator_contacts;
    mod operator_keys;
    mod operator_memory;
    mod operator_tokens;
    mod operator_verifications;
    mod pages;
    mod policy;
    mod possession;
    mod restarted;
    mod sessions;
    mod shared_turns;
    mod status;
    mod stopped;
    mod survival;
    mod test_identities;
    mod tokens;
    mod transcripts;
    mod turns;
    mod verifications;
}
